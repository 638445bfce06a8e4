#include <cmath>
#include <vector>

#include "kernels/gemm_codes.h"
#include "kernels/gemm_quantized.h"
#include "kernels/up_projection.h"

namespace svdlab::detail {
namespace {

// One head of one token: RMSNorm, rounded, then the turn, rounded.
void norm_rope_head(HalfType type, const NormRope& e, const float* weight, const float* turns, float* x) {
  double square = 0;
  for (int64_t c = 0; c < e.head_dim; ++c) square += static_cast<double>(x[c]) * x[c];
  const double factor = 1 / std::sqrt(square / static_cast<double>(e.head_dim) + e.epsilon);
  for (int64_t c = 0; c < e.head_dim; ++c)
    x[c] = half_round(type, static_cast<float>(x[c] * factor * weight[c]));
  for (int64_t c = 0; c < e.head_dim; c += 2) {
    const float x0 = x[c], x1 = x[c + 1], cosine = turns[c], sine = turns[c + 1];
    x[c] = half_round(type, x0 * cosine - x1 * sine);
    x[c + 1] = half_round(type, x0 * sine + x1 * cosine);
  }
}

void norm_rope(HalfType type, const NormRope& e, MatrixView<float> y) {
  for (int64_t m = 0; m < y.rows; ++m) {
    for (int64_t n = 0; n < y.cols; ++n) y(m, n) = half_round(type, y(m, n));
    for (int64_t head = 0; head < 2 * e.heads; ++head)
      norm_rope_head(type, e, head < e.heads ? e.query_weight : e.key_weight, e.table.row(m),
                     y.row(m) + head * e.head_dim);
  }
}

// y += a w^T; signed and unsigned columns are two products.
void add_product(const PackedMatrix& a, const PackedMatrix& w, MatrixView<float> y) {
  const UnpackedMatrix activations = unpack_matrix(a), weights = unpack_matrix(w);
  const int64_t cut = a.unsigned_from < 0 ? a.cols : a.unsigned_from;
  if (cut > 0) gemm_codes(activations.columns(0, cut), weights.columns(0, cut), y);
  if (cut < a.cols) gemm_codes(activations.columns(cut, a.cols), weights.columns(cut, a.cols), y);
}

}  // namespace

void gemm_quantized_cpu(const GemmQuantized& op) {
  const int64_t m = op.a.rows, n = op.w.rows;
  std::vector<float> values(m * n);
  const MatrixView<float> y(values.data(), m, n);
  add_product(op.a, op.w, y);
  for (int64_t r = 0; op.channel_scale && r < m; ++r)
    for (int64_t c = 0; c < n; ++c) y(r, c) *= op.channel_scale[c];
  add_up_and_bias_cpu(op.low_rank, op.up, op.bias, y);
  if (op.norm_rope) norm_rope(op.out.type, *op.norm_rope, y);
  if (op.out.bits.data) store_half_cpu(y, op.out);
  if (!op.next) return;
  const int64_t stride = (n + 7) / 8 * 8;
  std::vector<uint16_t> rounded(m * stride);
  const HalfOutput x{op.out.type, {rounded.data(), m, n, stride}};
  store_half_cpu(y, x);
  quantize_fuse_down_cpu({.x = x, .step = InputStep::kGelu, .target = *op.next});
}

}  // namespace svdlab::detail
