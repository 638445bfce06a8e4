#pragma once
#include "kernels/device/host_device.h"

namespace svdlab::device {

/// A place in a tile.
struct Place {
  int row, col;
};

/// Element `i` (0..3) of the fp32 accumulator of mma.sync m16n8 that lane `lane` holds.
SVDLAB_HD Place mma_accumulator(int lane, int i) { return {lane / 4 + 8 * (i / 2), 2 * (lane % 4) + i % 2}; }

/// Element `i` of the accumulator of wgmma m64nN that thread `t` (0..127) of the warpgroup holds: N / 2 fp32
/// registers, or half as many registers of two fp16 each, the lower half first.
SVDLAB_HD Place wgmma_accumulator(int t, int i) {
  const Place p = mma_accumulator(t % 32, i % 4);
  return {16 * (t / 32) + p.row, 8 * (i / 4) + p.col};
}

/// Element `e` (0..3) of register `i` (0..3) of an 8-bit operand A of wgmma m64k32 (or, for one warp, of
/// mma.sync m16k32).
SVDLAB_HD Place wgmma_a_8bit(int t, int i, int e) {
  return {16 * (t / 32) + t % 32 / 4 + 8 * (i % 2), 16 * (i / 2) + 4 * (t % 4) + e};
}

/// Register `i` (0..3) of a tf32 operand A of wgmma m64k8.
SVDLAB_HD Place wgmma_a_tf32(int t, int i) {
  return {16 * (t / 32) + t % 32 / 4 + 8 * (i % 2), t % 4 + 4 * (i / 2)};
}

/// Where byte `byte` of row `row` lies in a tile of 128-byte rows that was loaded with a swizzle of 128 bytes
/// (or that TMA will store so); the tile is aligned to 1024 bytes. Groups of 16 bytes change places.
SVDLAB_HD int swizzle_128(int row, int byte) { return row * 128 + (byte ^ (row % 8 * 16)); }

/// Place of token `token`'s scale among those of its tile. A thread's accumulator columns 8 j + 2 c and + 1
/// of four successive j then have their scales in 16 successive bytes: one load.
SVDLAB_HD int scale_slot(int token) {
  return token / 32 * 32 + token % 8 / 2 * 8 + token % 32 / 8 * 2 + token % 2;
}

/// Where stmatrix x4 .trans puts what lane `lane` points at: matrices 0 and 1 are the accumulator's rows 0..7
/// and 8..15 of one block of 8 columns, 2 and 3 those of the next. The lane's 16 bytes are 8 rows of the
/// accumulator of one column.
SVDLAB_HD Place stmatrix_target(int lane) { return {lane / 8 % 2 * 8, lane / 16 * 8 + lane % 8}; }

}  // namespace svdlab::device
