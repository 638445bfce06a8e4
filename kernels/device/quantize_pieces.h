#pragma once
#include <cstdint>

#include "kernels/device/host_device.h"

namespace svdlab::device {

// How quantize_fuse_down cuts its work: a block takes 64 rows and one of `pieces` ranges of 64-column groups;
// the blocks of 64 rows form a cluster, which adds up their low-rank sums in the order of the ranges.

inline constexpr int kQuantizeRows = 64;

/// A function of the shape alone, since the order of the low-rank sum follows from it: enough blocks for four
/// on each of 132 multiprocessors, while every block has two groups or more.
SVDLAB_HD int quantize_pieces(int64_t rows, int64_t groups) {
  const int64_t row_blocks = (rows + kQuantizeRows - 1) / kQuantizeRows;
  int pieces = 1;
  while (pieces < 8 && row_blocks * pieces < 4 * 132 && groups >= 4 * pieces) pieces *= 2;
  return pieces;
}

/// First group of range `piece`; that of `pieces` is the end.
SVDLAB_HD int piece_begin(int groups, int piece, int pieces) {
  return static_cast<int>(static_cast<int64_t>(groups) * piece / pieces);
}

}  // namespace svdlab::device
