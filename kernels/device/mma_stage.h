#pragma once
#include "kernels/device/fragments.h"

namespace svdlab::device {

// What the warp-level loops keep in shared memory: tiles of 128 rows, 64 bytes of each.

inline constexpr int kMmaTile = 128, kMmaStageBytes = 64;

/// Where 16-byte chunk `chunk` (0..3) of a row lies; eight rows of one chunk touch all banks once.
SVDLAB_HD int mma_chunk(int row, int chunk) { return row * kMmaStageBytes + ((chunk ^ (row / 2 % 4)) << 4); }

/// The chunk that lane `lane` points ldmatrix x4 at for operand A, 16 rows, of step `step` (32 bytes a step).
SVDLAB_HD Place mma_a_chunk(int lane, int step) { return {lane % 16, 2 * step + lane / 16}; }

/// The same for operand B of two blocks of 8 rows: registers 0 and 1 are the first block's.
SVDLAB_HD Place mma_b_chunk(int lane, int step) {
  return {lane / 16 * 8 + lane % 8, 2 * step + lane / 8 % 2};
}

}  // namespace svdlab::device
