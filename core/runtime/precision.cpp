#include "core/runtime/precision.h"

#include <torch/csrc/autograd/custom_function.h>

#include "kernels/round_bf16.h"

namespace svdlab {
namespace {

Tensor rounded(const Tensor& x) {
  if (!x.device().is_cpu() || x.scalar_type() != at::kFloat) return x.to(at::kBFloat16).to(x.scalar_type());
  const Tensor source = x.contiguous();
  Tensor out = at::empty(source.sizes(), source.options());
  round_bf16(source.data_ptr<float>(), source.numel(), out.data_ptr<float>());
  return out;
}

struct StraightThrough : torch::autograd::Function<StraightThrough> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) { return rounded(x); }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext*,
                                                 const torch::autograd::variable_list& gradients) {
    return gradients;
  }
};

}  // namespace

Tensor round_to(const Tensor& x, Precision precision) {
  const bool stored_in_16_bit = x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf;
  if (precision == Precision::kFp32 || stored_in_16_bit) return x;
  return x.requires_grad() && at::GradMode::is_enabled() ? StraightThrough::apply(x) : rounded(x);
}

}  // namespace svdlab
