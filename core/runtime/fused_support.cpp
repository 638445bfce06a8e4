#include "core/runtime/fused_support.h"

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "core/runtime/pack_weight.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

constexpr int64_t kRankStep = 16;
// Scales of e2m1 lie side by side in a row, a byte each, and every segment's must start at 16 bytes.
constexpr int64_t kNvfp4SegmentStep = 256;

std::string branch_refusal(const CompressedLinear& linear) {
  int low_bit = 0, low_rank = 0;
  for (const Branch& branch : linear.branches) {
    if (std::holds_alternative<SparseBranch>(branch)) return "has a sparse branch";
    if (std::holds_alternative<ColumnsBranch>(branch)) return "has columns in 16 bit";
    if (std::holds_alternative<KroneckerBranch>(branch)) return "has a Kronecker branch";
    ++(std::holds_alternative<LowBitBranch>(branch) ? low_bit : low_rank);
  }
  if (low_bit != 1 || low_rank > 1)
    return concat("has ", low_bit, " low-bit and ", low_rank,
                  " low-rank branches, kernels take 1 and at most 1");
  return "";
}

std::string activation_refusal(const ActivationScheme& a) {
  if (a.range != Range::kDynamic) return concat("activations have ", to_string(a.range), " ranges");
  const TensorScheme& t = a.tensor;
  const bool grouped = t.grouping == Grouping::kGroup;
  if ((t.format == NumberFormat::kInt4 && grouped && t.group == 64 && t.scale == ScaleFormat::kBf16) ||
      (t.format == NumberFormat::kFp4E2M1 && grouped && t.group == 16 && t.scale == ScaleFormat::kE4M3 &&
       !t.two_level) ||
      (t.format == NumberFormat::kInt8 && t.grouping == Grouping::kRow && t.scale == ScaleFormat::kFp32))
    return "";
  return concat("activations are ", to_string(t.format), " with ", to_string(t.scale),
                " scales in groups of ", grouped ? concat(t.group) : "all",
                " columns; kernels have int4 with bf16 in groups of 64, e2m1 with e4m3 in groups of 16, int8 "
                "with fp32 for each token");
}

bool is_shifted(const ActivationScheme& scheme, const Segment& segment) {
  return scheme.shift_after_gelu && segment.producer == Producer::kGelu;
}

std::string segment_refusal(const LowBitBranch& branch) {
  const NumberFormat format = branch.activations->tensor.format;
  if (branch.segments.size() > 1 && format == NumberFormat::kInt8)
    return concat("int8 activations have a scale for each token and each of ", branch.segments.size(),
                  " segments, kernels one for each token");
  const int64_t step = format == NumberFormat::kFp4E2M1 ? kNvfp4SegmentStep : kFragmentTile;
  bool shifted = false;
  for (const Segment& s : branch.segments) {
    if (s.begin % step != 0)
      return concat("a segment begins at column ", s.begin, ", kernels need multiples of ", step);
    if (shifted && !is_shifted(*branch.activations, s))
      return concat("columns from ", s.begin, " on are signed behind unsigned ones");
    shifted = is_shifted(*branch.activations, s);
  }
  return "";
}

std::string weight_only_refusal(const LowBitBranch& branch) {
  const NumberFormat format = branch.weight.scheme.format;
  if (format == NumberFormat::kInt4 || format == NumberFormat::kNf4) return "";
  return concat("weights are ", to_string(format),
                " beside 16-bit activations; kernels multiply int4 and nf4 with those");
}

std::string quantized_refusal(const CompressedLinear& linear, int architecture) {
  const LowBitBranch& branch = *linear.low_bit();
  for (const std::string& refusal : {activation_refusal(*branch.activations), segment_refusal(branch)})
    if (!refusal.empty()) return refusal;
  const LoopDecision decision =
      choose_main_loop(fused_problem({&linear}, EpilogueKind::kPlain), architecture);
  return decision.chosen ? "" : "no main loop: " + decision.to_string();
}

}  // namespace

bool is_weight_only(const CompressedLinear& linear) {
  return linear.low_bit() != nullptr && !linear.low_bit()->activations;
}

bool equal_tensors(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  return !a.defined() || a.is_same(b) || a.equal(b);
}

int64_t fused_rank(const std::vector<const CompressedLinear*>& members) {
  std::vector<Tensor> seen;
  int64_t rank = 0;
  for (const CompressedLinear* m : members) {
    if (m->low_rank() == nullptr) continue;
    const Tensor& down = m->low_rank()->down;
    bool shared = false;
    for (const Tensor& other : seen) shared |= equal_tensors(down, other);
    if (shared) continue;
    seen.push_back(down);
    rank += down.size(0);
  }
  return (rank + kRankStep - 1) / kRankStep * kRankStep;
}

LoopProblem fused_problem(const std::vector<const CompressedLinear*>& members, EpilogueKind epilogue,
                          int64_t head_dim) {
  const LowBitBranch& branch = *members.front()->low_bit();
  const TensorScheme &a = branch.activations->tensor, &w = branch.weight.scheme;
  const int64_t k = branch.weight.cols();
  LoopProblem out{.m = 1,
                  .k = k,
                  .rank = fused_rank(members),
                  .a_format = a.format,
                  .w_format = w.format,
                  .a_scale = a.scale,
                  .w_scale = w.scale,
                  .a_group = a.grouping == Grouping::kGroup ? a.group : k,
                  .w_group = w.grouping == Grouping::kGroup ? w.group : k,
                  .epilogue = epilogue,
                  .head_dim = head_dim};
  for (const CompressedLinear* m : members) out.n += m->out_features();
  for (const Segment& s : branch.segments) out.a_has_unsigned |= is_shifted(*branch.activations, s);
  return out;
}

std::string why_not_fused(const CompressedLinear& linear, int architecture) {
  if (!linear.ranges.empty())
    return concat("has a variant for each of ", linear.ranges.size(), " ranges of timesteps");
  if (!linear.then.empty())
    return concat("the input is transformed by more than a division: ", linear.then.size(), " further steps");
  if (const std::string refusal = branch_refusal(linear); !refusal.empty()) return refusal;
  const LowBitBranch& branch = *linear.low_bit();
  if (const std::string refusal = why_not_packed(branch.weight.scheme); !refusal.empty()) return refusal;
  const int64_t n = linear.out_features(), k = linear.in_features(), rank = fused_rank({&linear});
  if (n % 8 != 0 || k % kFragmentTile != 0 || k > kMaxColumns)
    return concat("is ", n, " x ", k, "; kernels need a multiple of 8 outputs and of ", kFragmentTile,
                  " inputs up to ", kMaxColumns);
  if (rank > kMaxRank) return concat("rank padded to ", rank, ", kernels take up to ", kMaxRank);
  return branch.activations ? quantized_refusal(linear, architecture) : weight_only_refusal(branch);
}

std::string why_not_shared(const CompressedLinear& a, const CompressedLinear& b) {
  const auto both = [&](const char* what) { return concat(a.name, " and ", b.name, " have ", what); };
  if (is_weight_only(a) || is_weight_only(b)) return both("16-bit activations, of which there are no codes");
  if (!(*a.low_bit()->activations == *b.low_bit()->activations)) return both("different activation schemes");
  if (!equal_tensors(a.smooth, b.smooth)) return both("different smoothing vectors");
  return "";
}

QuantizeSpec fused_spec(const ActivationScheme& scheme, const Segment& segment, int64_t columns) {
  TensorScheme tensor = scheme.tensor;
  const bool shifted = is_shifted(scheme, segment);
  if (shifted) tensor.format = NumberFormat::kUint4;
  QuantizeSpec spec = quantize_spec(tensor, columns);
  spec.shift = shifted ? kGeluShift : 0.0f;
  return spec;
}

}  // namespace svdlab
