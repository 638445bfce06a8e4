#pragma once
#include "core/base/view.h"
#include "kernels/number_format.h"
#include "kernels/stream.h"

namespace svdlab {

/// The columns [begin, end) of GPTQ (arXiv 2210.17323), one after the other. Of row n (an output channel):
///   for j in [begin, end): codes(n, order[j]) = that of rest(j, n) rounded to nearest,
///                          e = (rest(j, n) - its value) / upper(j, j), errors(j - begin, n) = e,
///                          rest(l, n) -= upper(j, l) e for l in (j, end).
/// Rows do not see each other. What the errors do to the columns from `end` on is a matrix product, left to
/// the caller; what `rest` holds of [begin, end) afterwards is unspecified.
struct GptqBlock {
  int64_t begin = 0, end = 0;                 ///< at most kMostColumns of them
  const int64_t* order = nullptr;             ///< [K] the column of the weight that comes at each place
  MatrixView<const double> upper;             ///< [K, K] upper triangular, diagonal > 0
  MatrixView<double> rest;                    ///< [K, N] what is left of the weight, columns in order
  MatrixView<double> errors;                  ///< [end - begin, N] out
  MatrixView<uint8_t> codes;                  ///< [N, K] out
  NumberFormat format = NumberFormat::kInt4;  ///< not affine, not a codebook: kConfig
  MatrixView<const float> scales;  ///< [N or 1, groups] finite and > 0; columns that share one: group
  int64_t group = 64;
  float tensor_scale = 1.0f;

  static constexpr int64_t kMostColumns = 128;
};

/// Throws kUnexpected where shapes do not fit. Products and sums are fused, on both sides: the GPU's bits are
/// the CPU's.
void gptq_block(const GptqBlock& block, Stream stream = {});

namespace detail {
void gptq_block_cpu(const GptqBlock& block);
void gptq_block_cuda(const GptqBlock& block, Stream stream);
}  // namespace detail

}  // namespace svdlab
