#include "core/io/nunchaku_module.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"

namespace svdlab {
namespace {

Tensor bf16_values(const Tensor& t) { return t.to(at::kBFloat16).to(at::kFloat); }

const Scheme& scheme_of(NunchakuPrecision precision) { return scheme_named(to_string(precision)); }

// The low-bit branch of a linear that Nunchaku can hold, and its precision.
const LowBitBranch& checked_branch(const CompressedLinear& linear, NunchakuPrecision& precision) {
  const LowBitBranch* branch = linear.low_bit();
  for (const NunchakuPrecision p : {NunchakuPrecision::kInt4, NunchakuPrecision::kNvfp4}) {
    const Scheme& scheme = scheme_of(p);
    if (branch && branch->weight.scheme == *scheme.weights && branch->activations &&
        branch->activations->tensor == scheme.activations->tensor &&
        (p == NunchakuPrecision::kInt4 || !branch->activations->shift_after_gelu)) {
      SVDLAB_REQUIRE(linear.then.empty(), Errc::kConfig, "linear ", linear.name,
                     ": its transform does more than divide the input, which Nunchaku cannot say");
      SVDLAB_REQUIRE(linear.branches.size() == (linear.low_rank() ? 2u : 1u), Errc::kConfig, "linear ",
                     linear.name, " has ", linear.branches.size(),
                     " branches; Nunchaku holds one low-bit and one low-rank branch");
      precision = p;
      return *branch;
    }
  }
  throw Error(Errc::kConfig, concat("linear ", linear.name,
                                    " is neither W4A4 int4 (groups of 64, bf16 scales) nor nvfp4; Nunchaku "
                                    "holds only these: quantize it with scheme int4 or nvfp4"));
}

bool shifted(const LowBitBranch& branch, Producer producer) {
  return producer == Producer::kGelu && branch.activations && branch.activations->shift_after_gelu;
}

// [N]: what the shift adds to the outputs of the low-bit branch.
Tensor shift_response(const Tensor& weight, const Tensor& smooth) {
  return at::mv(weight.to(at::kDouble), kGeluShift / smooth.to(at::kDouble));
}

Tensor columns(const Tensor& t, int64_t begin, int64_t end) { return t.slice(1, begin, end); }

Tensor smooth_of(const CompressedLinear& linear) {
  return linear.smooth.defined() ? linear.smooth : at::ones({linear.in_features()});
}

bool same_down(const std::vector<CompressedLinear>& members) {
  return std::all_of(members.begin(), members.end(), [&](const CompressedLinear& m) {
    const LowRankBranch* first = members[0].low_rank();
    return first && m.low_rank() && m.low_rank()->down.equal(first->down);
  });
}

// All members' factors as one: [R, K] and [N, R].
std::pair<Tensor, Tensor> stacked_factors(const std::vector<CompressedLinear>& members) {
  if (same_down(members)) {
    std::vector<Tensor> ups;
    for (const CompressedLinear& m : members) ups.push_back(m.low_rank()->up);
    return {members[0].low_rank()->down, at::cat(ups, 0)};
  }
  std::vector<Tensor> downs = {at::zeros({0, members[0].in_features()})}, ups;
  for (const CompressedLinear& m : members) {
    const LowRankBranch* branch = m.low_rank();
    if (branch) downs.push_back(branch->down);
    ups.push_back(branch ? branch->up : at::zeros({m.out_features(), 0}));
  }
  int64_t rank = 0, rows = 0, r = 0, n = 0;
  for (const Tensor& up : ups) rank += up.size(1), rows += up.size(0);
  Tensor all = at::zeros({rows, rank});
  for (const Tensor& up : ups) {
    all.slice(0, n, n + up.size(0)).slice(1, r, r + up.size(1)).copy_(up);
    n += up.size(0), r += up.size(1);
  }
  return {at::cat(downs, 0), all};
}

void set_tensor_scales(const std::vector<CompressedLinear>& members, NunchakuW4A4& out) {
  float largest = 0;
  for (const CompressedLinear& m : members) largest = std::max(largest, m.low_bit()->weight.tensor_scale);
  out.tensor_scale = largest;
  std::vector<Tensor> rows;
  for (const CompressedLinear& m : members) {
    const float own = m.low_bit()->weight.tensor_scale;
    rows.push_back(at::full({m.out_features()}, own == largest ? 1.0f : own / largest));
  }
  out.row_scales = bf16_values(at::cat(rows, 0));
}

}  // namespace

std::string to_string(NunchakuPrecision precision) {
  return precision == NunchakuPrecision::kInt4 ? "int4" : "nvfp4";
}

NunchakuW4A4 nunchaku_w4a4(const std::vector<CompressedLinear>& members, const Segment& range) {
  NunchakuW4A4 out;
  const Tensor smooth = smooth_of(members.front());
  out.smooth = smooth.slice(0, range.begin, range.end).contiguous();
  std::vector<Tensor> codes, scales, biases;
  bool any_bias = false;
  for (const CompressedLinear& m : members) {
    NunchakuPrecision precision;
    const LowBitBranch& branch = checked_branch(m, precision);
    if (&m == &members.front()) out.precision = precision;
    SVDLAB_REQUIRE(precision == out.precision && smooth_of(m).equal(smooth), Errc::kConfig, "linear ", m.name,
                   " and ", members.front().name,
                   " are one linear in Nunchaku and must have one scheme and one smoothing vector");
    const bool shift = shifted(branch, range.producer) && precision == NunchakuPrecision::kInt4;
    SVDLAB_REQUIRE(
        shift || range.producer != Producer::kGelu || precision == NunchakuPrecision::kNvfp4, Errc::kConfig,
        "linear ", m.name,
        " quantizes what comes from GELU without the shift; Nunchaku's int4 kernels shift: use scheme int4");
    const int64_t group = branch.weight.scheme.group;
    codes.push_back(columns(branch.weight.codes, range.begin, range.end));
    scales.push_back(columns(branch.weight.scales, range.begin / group, range.end / group));
    Tensor bias = m.bias.defined() ? m.bias.to(at::kDouble) : at::zeros({m.out_features()}, at::kDouble);
    if (shift)
      bias = bias - shift_response(columns(dequantize(branch.weight), range.begin, range.end), out.smooth);
    any_bias |= m.bias.defined() || shift;
    biases.push_back(bias);
  }
  out.codes = at::cat(codes, 0).contiguous();
  out.scales = at::cat(scales, 0).contiguous();
  if (any_bias) out.bias = bf16_values(at::cat(biases, 0));
  set_tensor_scales(members, out);
  const auto [down, up] = stacked_factors(members);
  out.down = bf16_values(columns(down, range.begin, range.end).to(at::kDouble) / out.smooth.to(at::kDouble));
  out.up = up.contiguous();
  return out;
}

CompressedLinear linear_of(const std::string& name, const NunchakuW4A4& module, int64_t begin, int64_t end,
                           Producer producer) {
  const Scheme& scheme = scheme_of(module.precision);
  const auto rows = [&](const Tensor& t) { return t.slice(0, begin, end).contiguous(); };
  LowBitBranch branch{
      .weight = {.scheme = *scheme.weights, .codes = rows(module.codes), .scales = rows(module.scales)},
      .activations = scheme.activations,
      .segments = {{0, module.columns(), producer}}};
  if (module.precision == NunchakuPrecision::kNvfp4) {
    const Tensor row_scales = rows(module.row_scales);
    SVDLAB_REQUIRE(row_scales.eq(row_scales[0]).all().item<bool>(), Errc::kInput, "linear ", name,
                   ": its rows have several scales, a tensor scale is one");
    branch.weight.tensor_scale = module.tensor_scale * row_scales[0].item<float>();
  }
  CompressedLinear out{.name = name, .smooth = module.smooth};
  if (module.bias.defined()) {
    out.bias = rows(module.bias);
    if (shifted(branch, producer))
      out.bias = (out.bias.to(at::kDouble) + shift_response(dequantize(branch.weight), module.smooth))
                     .to(at::kFloat);
  }
  out.branches.emplace_back(std::move(branch));
  Tensor down = module.down * module.smooth, up = rows(module.up);
  trim_rank(down, up);
  if (down.size(0) > 0) out.branches.emplace_back(LowRankBranch{down, up});
  return out;
}

CompressedLinear joined_columns(const CompressedLinear& left, const CompressedLinear& right) {
  const QuantizedTensor &a = left.low_bit()->weight, &b = right.low_bit()->weight;
  const LowRankBranch *low_a = left.low_rank(), *low_b = right.low_rank();
  SVDLAB_REQUIRE(a.scheme == b.scheme && a.tensor_scale == b.tensor_scale && !low_a == !low_b &&
                     (!low_a || low_a->up.equal(low_b->up)),
                 Errc::kInput, "linear ", left.name, ": its halves differ in scheme, scale or up factor");
  const int64_t middle = a.cols(), end = middle + b.cols();
  CompressedLinear out{.name = left.name, .smooth = at::cat({left.smooth, right.smooth}), .bias = right.bias};
  LowBitBranch branch = *left.low_bit();
  branch.weight.codes = at::cat({a.codes, b.codes}, 1);
  branch.weight.scales = at::cat({a.scales, b.scales}, 1);
  branch.segments = {{0, middle, branch.segments[0].producer},
                     {middle, end, right.low_bit()->segments[0].producer}};
  out.branches.emplace_back(std::move(branch));
  if (low_a) out.branches.emplace_back(LowRankBranch{at::cat({low_a->down, low_b->down}, 1), low_a->up});
  return out;
}

}  // namespace svdlab
