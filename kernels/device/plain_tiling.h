#pragma once
#include <cstdint>
#include <initializer_list>

#include "kernels/device/exact_tiling.h"

namespace svdlab::device {

inline constexpr int kPlainChannels = 128;

/// The loops of gemm_wgmma.cuh cut a product into tiles of 128 channels and 128, 192, 224 or 256 tokens; but
/// for the narrowest, two blocks of successive channels share the activations of a tile.
constexpr int plain_cluster(int tokens) { return tokens > 128 ? 2 : 1; }

/// How many tokens waste least in the last wave. The time of a wave is that of its tokens and of what a tile
/// costs beside its product, which on one H200 is as long as 2^17 bytes of activations take; narrow tiles
/// move more bytes an operation.
/// @param row_bytes  of the activations of a token, as they are multiplied
SVDLAB_HD int plain_tokens(int64_t m, int64_t n, int64_t row_bytes, int multiprocessors) {
  constexpr int64_t kTileCost = 1 << 17;
  const int64_t channels = pieces_of(n, kPlainChannels);
  int best = 128;
  int64_t least =
      pieces_of(channels * pieces_of(m, 128), multiprocessors) * (128 * row_bytes + kTileCost) * 9;
  for (const int tokens : {256, 224, 192}) {
    const int64_t clusters = multiprocessors < 2 ? 1 : multiprocessors / 2;
    const int64_t waves = pieces_of(pieces_of(channels, 2) * pieces_of(m, tokens), clusters);
    const int64_t time = waves * (tokens * row_bytes + kTileCost) * 8;
    if (time < least) best = tokens, least = time;
  }
  return best;
}

}  // namespace svdlab::device
