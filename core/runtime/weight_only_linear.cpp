#include "core/runtime/weight_only_linear.h"

#include "core/base/error.h"
#include "core/runtime/fused_factors.h"
#include "core/runtime/fused_support.h"
#include "core/runtime/half_view.h"
#include "core/runtime/kernel_stream.h"
#include "kernels/gemm_weight_only.h"

namespace svdlab {

WeightOnlyLinear::WeightOnlyLinear(const CompressedLinear& linear, const FusedOptions& options) {
  const std::string refused = why_not_fused(linear, options.architecture);
  SVDLAB_REQUIRE(refused.empty() && is_weight_only(linear), Errc::kConfig, linear.name, ": ",
                 refused.empty() ? "quantizes its activations" : refused);
  const at::Device device = options.device;
  weight_ = pack_weight(linear.low_bit()->weight, CodeLayout::kNibbles, device);
  if (linear.smooth.defined()) divide_by_ = linear.smooth.to(device).to(at::kFloat).contiguous();
  bias_ = fused_bias({&linear}, device);
  const StackedFactors factors = stacked_factors({&linear}, fused_rank({&linear}));
  down_ = factors.down.to(device);
  if (divide_by_.defined()) down_ = down_ / divide_by_;
  up_ = factors.up.to(device).to(at::kBFloat16).contiguous();
}

Tensor WeightOnlyLinear::run(const Tensor& x) const {
  const at::TensorOptions options = x.options();
  const Tensor out = at::empty({x.size(0), weight_.shape.rows}, options);
  GemmWeightOnly op{.x = half_view(x),
                    .w = weight_.view(),
                    .divide_by = float_data(divide_by_),
                    .bias = float_data(bias_),
                    .out = half_view(out)};
  Tensor low_rank;
  if (up_.size(1) > 0) {
    low_rank = at::mm(x.to(at::kFloat), down_.t());
    op.low_rank = {low_rank.data_ptr<float>(), low_rank.size(0), low_rank.size(1)};
    op.up = half_view(up_);
  }
  gemm_weight_only(op, kernel_stream(x.device()));
  return out;
}

int64_t WeightOnlyLinear::bytes() const {
  const auto size = [](const Tensor& t) { return t.defined() ? t.numel() * t.element_size() : 0; };
  return weight_.bytes() + size(divide_by_) + size(bias_) + size(down_) + size(up_);
}

}  // namespace svdlab
