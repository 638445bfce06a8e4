#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/device/host_device.h"

namespace svdlab::device {

// How quantize_fuse_down cuts its work: a block takes 64 rows and one of `pieces` ranges of 64-column groups;
// the blocks of 64 rows form a cluster, which adds up their low-rank sums in the order of the ranges. A block
// passes its groups through a ring of stages in shared memory.

inline constexpr int kQuantizeRows = 64;
inline constexpr int kQuantizeThreads = 4 * kQuantizeRows;
inline constexpr int kMaxPieces = 8;
/// Bytes of one group of a row, and rows that the threads copy at a time.
inline constexpr int kStageRowBytes = 128;
inline constexpr int kCopiedRows = kQuantizeThreads * 16 / kStageRowBytes;

/// Where a stage keeps what, in bytes. Matrices are swizzled (swizzle_128).
struct StagePlaces {
  static constexpr int kX = 0;                                      ///< [64, 64] of 16 bits
  static constexpr int kInverses = kQuantizeRows * kStageRowBytes;  ///< of the divisors, 64 fp32
  static constexpr int kModulation = kInverses + 256;               ///< 64 scales and 64 shifts of 16 bits
  static constexpr int kFactors = kModulation + 256;                ///< [rank rounded up, 64] once or twice
};

/// Stages of the ring of a kernel for ranks up to 8 * tiles.
SVDLAB_HD constexpr int quantize_stages(int tiles) { return tiles <= 4 ? 4 : 3; }

/// Blocks that a multiprocessor of an H200 holds of that kernel, by its registers and shared memory.
SVDLAB_HD constexpr int quantize_blocks(int tiles, bool two_factors) {
  return tiles <= 4 ? (tiles > 0 && two_factors ? 3 : 4) : tiles <= 8 ? 3 : 2;
}

/// A function of the shape alone, since the order of the low-rank sum follows from it. A wave of clusters
/// costs as much as its groups and about two more; it has a few blocks less than 132 multiprocessors hold,
/// since a cluster does not leave its part of the chip.
inline int quantize_pieces(int64_t rows, int64_t groups, int blocks) {
  const int64_t row_blocks = (rows + kQuantizeRows - 1) / kQuantizeRows, room = blocks * 132 - 18;
  const auto cost = [&](int pieces) {
    const int64_t at_once = room / pieces;
    return (row_blocks + at_once - 1) / at_once * ((groups + pieces - 1) / pieces + 2);
  };
  int best = 1;
  for (int pieces = 2; pieces <= kMaxPieces && groups >= 2 * pieces; ++pieces)
    if (cost(pieces) < cost(best)) best = pieces;
  return best;
}

/// First group of range `piece`; that of `pieces` is the end.
SVDLAB_HD int piece_begin(int groups, int piece, int pieces) {
  return static_cast<int>(static_cast<int64_t>(groups) * piece / pieces);
}

}  // namespace svdlab::device
