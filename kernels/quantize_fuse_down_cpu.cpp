#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "kernels/gelu.h"
#include "kernels/quantize_fuse_down.h"

namespace svdlab::detail {
namespace {

// n = round(layer_norm(x)), x' = round(n * round(1 + scale) + shift), in place.
void layer_norm_modulate(HalfType type, const Modulation& m, int64_t cols, float* row) {
  double mean = 0, variance = 0;
  for (int64_t c = 0; c < cols; ++c) mean += row[c];
  mean /= static_cast<double>(cols);
  for (int64_t c = 0; c < cols; ++c) variance += (row[c] - mean) * (row[c] - mean);
  variance /= static_cast<double>(cols);
  const double factor = 1 / std::sqrt(variance + m.epsilon);
  for (int64_t c = 0; c < cols; ++c) {
    const float normal = half_round(type, static_cast<float>((row[c] - mean) * factor));
    const float scale = half_round(type, 1.0f + half_decode(type, m.scale[c]));
    row[c] = half_round(type, normal * scale + half_decode(type, m.shift[c]));
  }
}

// x after the step, as fp32 [M, K].
std::vector<float> stepped(const QuantizeFuseDown& op) {
  const HalfType type = op.x.type;
  const int64_t cols = op.x.cols();
  std::vector<float> out(op.x.rows() * cols);
  for (int64_t r = 0; r < op.x.rows(); ++r) {
    float* row = &out[r * cols];
    for (int64_t c = 0; c < cols; ++c) row[c] = half_decode(type, op.x.bits(r, c));
    if (op.step == InputStep::kLayerNormModulate) layer_norm_modulate(type, op.modulation, cols, row);
    if (op.step == InputStep::kGelu)
      for (int64_t c = 0; c < cols; ++c) row[c] = half_round(type, gelu_tanh(row[c]));
  }
  return out;
}

void quantize(MatrixView<const float> x, const QuantizeTarget& target, bool continues) {
  const int64_t groups = x.cols / target.spec.group;
  std::vector<uint8_t> codes(x.rows * x.cols);
  std::vector<float> scales(x.rows * groups);
  const MatrixView<uint8_t> code_view(codes.data(), x.rows, x.cols);
  const MatrixView<float> scale_view(scales.data(), x.rows, groups);
  quantize_matrix(x, target.divide_by, target.spec, code_view, scale_view);
  std::vector<float> powers;
  if (continues && target.codes.row_powers)
    powers.assign(target.codes.row_powers, target.codes.row_powers + x.rows);
  pack_into({target.spec.format, target.spec.group, code_view, scale_view}, target.codes);
  for (size_t r = 0; r < powers.size(); ++r)
    target.codes.row_powers[r] = std::max(target.codes.row_powers[r], powers[r]);
}

// The factor, one row in fp64.
std::vector<double> factor_row(const QuantizeTarget& target, int64_t r) {
  std::vector<double> out(target.down.cols());
  for (int64_t k = 0; k < target.down.cols(); ++k) {
    out[k] = half_decode(target.down.type, target.down.bits(r, k));
    if (target.down_low.rows() != 0) out[k] += half_decode(target.down_low.type, target.down_low.bits(r, k));
  }
  return out;
}

void project(MatrixView<const float> x, const QuantizeTarget& target, bool continues) {
  for (int64_t r = 0; r < target.down.rows(); ++r) {
    const std::vector<double> factor = factor_row(target, r);
    for (int64_t m = 0; m < x.rows; ++m) {
      double sum = 0;
      for (int64_t k = 0; k < x.cols; ++k) sum += x(m, k) * factor[k];
      float& out = target.low_rank(m, r);
      out = continues ? out + static_cast<float>(sum) : static_cast<float>(sum);
    }
  }
}

}  // namespace

void quantize_fuse_down_cpu(const QuantizeFuseDown& op) {
  const std::vector<float> values = stepped(op);
  const MatrixView<const float> x(values.data(), op.x.rows(), op.x.cols());
  quantize(x, op.target, op.continues);
  project(x, op.target, op.continues);
}

}  // namespace svdlab::detail
