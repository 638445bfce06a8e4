#pragma once
#include <cstdint>

#include "kernels/device/fragments.h"

namespace svdlab::device {

// How the exact loop cuts a product: tiles of 128 channels (rows of the weights) and 128 tokens.
inline constexpr int kExactChannels = 128, kExactTokens = 128;

SVDLAB_HD int64_t pieces_of(int64_t whole, int64_t piece) { return (whole + piece - 1) / piece; }

/// How many blocks, of successive channels, share the activations of a tile: 1 or 2.
SVDLAB_HD int exact_cluster(int64_t n, int multiprocessors) {
  return pieces_of(n, kExactChannels) % 2 == 0 && multiprocessors % 2 == 0 ? 2 : 1;
}

/// Tile number `index` of [token_tiles, channel_tiles]: eight token tiles at a time, so that blocks that run
/// side by side share weights and activations in L2. .row is the token tile, .col the channel tile.
SVDLAB_HD Place tile_place(int index, int token_tiles, int channel_tiles) {
  constexpr int kBand = 8;
  const int band = index / (kBand * channel_tiles), first = band * kBand;
  const int height = token_tiles - first < kBand ? token_tiles - first : kBand;
  const int within = index - first * channel_tiles;
  return {first + within % height, within / height};
}

}  // namespace svdlab::device
