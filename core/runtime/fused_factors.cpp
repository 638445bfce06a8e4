#include "core/runtime/fused_factors.h"

#include "core/base/error.h"
#include "core/runtime/fused_support.h"

namespace svdlab {
namespace {

// What an int4 weight in groups makes of the same input in every row: [N] fp64.
Tensor response(const QuantizedTensor& weight, const Segment& s, const Tensor& input, at::Device device) {
  const int64_t group = weight.scheme.group;
  SVDLAB_REQUIRE(weight.scheme.format == NumberFormat::kInt4, Errc::kConfig,
                 "unsigned activations multiply int4 weights, not ", to_string(weight.scheme.format));
  const Tensor codes = weight.codes.slice(1, s.begin, s.end).to(device).to(at::kFloat);
  const Tensor values = codes - codes.ge(8).to(at::kFloat) * 16;
  const Tensor scales = weight.scales.slice(1, s.begin / group, s.end / group).to(device).to(at::kDouble);
  const Tensor sums = (values * input.to(device)).view({weight.rows(), -1, group}).sum(2, false, at::kDouble);
  return (sums * scales).sum(1);
}

// [N] fp64 on `device`, or undefined without a shift.
Tensor shift_response(const CompressedLinear& linear, at::Device device) {
  const LowBitBranch& branch = *linear.low_bit();
  Tensor sum;
  for (const Segment& s : branch.segments) {
    if (fused_spec(*branch.activations, s, s.size()).format != NumberFormat::kUint4) continue;
    Tensor shift = at::full({s.size()}, kGeluShift, at::kFloat);
    if (linear.smooth.defined())
      shift = shift.to(linear.smooth.device()) / linear.smooth.slice(0, s.begin, s.end);
    const Tensor one = response(branch.weight, s, shift, device);
    sum = sum.defined() ? sum + one : one;
  }
  return sum;
}

}  // namespace

StackedFactors stacked_factors(const std::vector<const CompressedLinear*>& members, int64_t rank) {
  int64_t rows = 0, used = 0;
  for (const CompressedLinear* m : members) rows += m->out_features();
  const at::TensorOptions options = members[0]->low_bit()->weight.scales.options().dtype(at::kFloat);
  StackedFactors out{at::zeros({rank, members[0]->in_features()}, options), at::zeros({rows, rank}, options)};
  std::vector<std::pair<Tensor, int64_t>> placed;
  int64_t row = 0;
  for (const CompressedLinear* m : members) {
    if (const LowRankBranch* branch = m->low_rank()) {
      int64_t at = -1;
      for (const auto& [down, column] : placed)
        if (equal_tensors(down, branch->down)) at = column;
      if (at < 0) {
        at = used;
        used += branch->rank();
        placed.emplace_back(branch->down, at);
        out.down.slice(0, at, used).copy_(branch->down);
      }
      out.up.slice(0, row, row + m->out_features()).slice(1, at, at + branch->rank()).copy_(branch->up);
    }
    row += m->out_features();
  }
  return out;
}

Tensor fused_bias(const std::vector<const CompressedLinear*>& members, at::Device device) {
  std::vector<Tensor> parts;
  bool any = false;
  for (const CompressedLinear* m : members) {
    Tensor bias = at::zeros({m->out_features()}, at::TensorOptions(at::kDouble).device(device));
    if (m->bias.defined()) bias = m->bias.to(device).to(at::kDouble);
    const Tensor shift = m->low_bit()->activations ? shift_response(*m, device) : Tensor();
    if (shift.defined()) bias = bias - shift;
    any |= m->bias.defined() || shift.defined();
    parts.push_back(bias);
  }
  return any ? at::cat(parts).to(at::kFloat) : Tensor();
}

Tensor tensor_scales(const std::vector<const QuantizedTensor*>& weights) {
  std::vector<Tensor> parts;
  for (const QuantizedTensor* w : weights)
    parts.push_back(at::full({w->rows()}, w->tensor_scale, at::kFloat));
  return at::cat(parts);
}

}  // namespace svdlab
