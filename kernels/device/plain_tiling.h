#pragma once
#include <cstdint>

#include "kernels/device/exact_tiling.h"

namespace svdlab::device {

/// How the loops of gemm_wgmma.cuh cut a product: tiles of 128 channels and `tokens` tokens; `cluster`
/// blocks, of successive channels, share the activations of a tile.
struct PlainTiling {
  int tokens = 256;  ///< 256, 224 or 192 with cluster 2, 128 with cluster 1
  int cluster = 2;
};

inline constexpr int kPlainChannels = 128;

/// The tiling whose last wave wastes least: time counts waves times tokens and what a tile costs beside its
/// product, which is about that of 48 tokens; a narrow tile also moves more bytes an operation, a fifth more
/// time.
SVDLAB_HD PlainTiling plain_tiling(int64_t m, int64_t n, int multiprocessors) {
  constexpr int64_t kTileCost = 48;
  const int64_t channels = pieces_of(n, kPlainChannels), pairs = pieces_of(channels, 2);
  const int64_t clusters = multiprocessors / 2 > 0 ? multiprocessors / 2 : 1;
  PlainTiling best{128, 1};
  int64_t least = pieces_of(channels * pieces_of(m, 128), multiprocessors) * (128 + kTileCost) * 120;
  for (int tokens = 256; tokens >= 192; tokens -= 32) {
    const int64_t time = pieces_of(pairs * pieces_of(m, tokens), clusters) * (tokens + kTileCost) * 100;
    if (time < least) best = {tokens, 2}, least = time;
  }
  return best;
}

}  // namespace svdlab::device
