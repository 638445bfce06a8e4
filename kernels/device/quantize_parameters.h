#pragma once
#include "kernels/quantize_fuse_down.h"

namespace svdlab::device {

/// quantize_fuse_down as its kernel takes it.
struct QuantizeParameters {
  const uint16_t* x;
  int64_t x_stride;
  int rows, groups, pieces;
  InputStep step;
  Modulation modulation;
  CodeLayout layout;
  bool is_unsigned;
  const float* divide_by;
  float shift;
  const uint16_t *down, *down_low;
  int64_t down_stride, down_low_stride;
  int rank;
  uint8_t *codes, *scales;
  int64_t code_stride, scale_stride;
  float *row_powers, *low_rank;
  int64_t low_rank_stride;
  bool continues;
  int stage_bytes;  // of the ring; set, like pieces, where the kernel is started
};

}  // namespace svdlab::device
