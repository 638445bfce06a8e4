#include "core/runtime/compressed_linear.h"

#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "core/ir/timestep_range.h"
#include "kernels/gemm_codes.h"

namespace svdlab {
namespace {

// The K range of a weight that belongs to a segment of the input.
CodedMatrix columns_of(const CodedMatrix& w, const Segment& s) {
  if (s.begin == 0 && s.size() == w.cols()) return w;
  const bool grouped = w.group < w.cols();
  SVDLAB_REQUIRE(!grouped || (s.begin % w.group == 0 && s.size() % w.group == 0), Errc::kConfig,
                 "weight group ", w.group, " straddles the segment [", s.begin, ", ", s.end, ")");
  CodedMatrix out = w;
  out.codes = {w.codes.data + s.begin, w.rows(), s.size(), w.codes.row_stride};
  out.group = grouped ? w.group : s.size();
  if (grouped && w.zeros.data)
    out.zeros = {w.zeros.data + s.begin / w.group, w.zeros.rows, s.size() / w.group, w.zeros.row_stride};
  if (grouped)
    out.scales = {w.scales.data + s.begin / w.group, w.scales.rows, s.size() / w.group, w.scales.row_stride};
  return out;
}

// What the shift behind GELU adds to every row of codes times weights: [out], or undefined without a shift.
Tensor shift_response(const LowBitBranch& branch, const OnlineTransform& online) {
  const Tensor& smooth = online.smooth;
  if (!branch.activations || !branch.activations->shift_after_gelu || !online.then.empty()) return {};
  Tensor sum;
  for (const Segment& s : branch.segments) {
    if (s.producer != Producer::kGelu) continue;
    const Tensor w = dequantize(branch.weight).slice(1, s.begin, s.end).to(at::kDouble);
    Tensor shift = at::full({s.size()}, static_cast<double>(kGeluShift), at::kDouble);
    if (smooth.defined()) shift.div_(smooth.slice(0, s.begin, s.end));
    const Tensor response = at::mv(w, shift);
    sum = sum.defined() ? sum + response : response;
  }
  return sum.defined() ? sum.to(at::kFloat) : sum;
}

// x with zeros in the columns of every ColumnsBranch that is not left to the tokens.
Tensor without_columns(const CompressedLinear& linear, const Tensor& x) {
  Tensor rest = x;
  for (const Branch& branch : linear.branches) {
    const auto* taken = std::get_if<ColumnsBranch>(&branch);
    if (!taken) continue;
    if (rest.is_same(x)) rest = x.clone();
    rest.index_fill_(1, columns_taken(*taken, x), 0);
  }
  return rest;
}

}  // namespace

Tensor columns_taken(const ColumnsBranch& branch, const Tensor& x) {
  if (branch.threshold == 0) return branch.columns;
  return at::nonzero(x.abs().amax(0) >= branch.threshold).squeeze(1);
}

struct PreparedLinear::State {
  CompressedLinear linear;
  Execution execution;
  OnlineTransform online = {};
  std::vector<Tensor> dense = {};            // per branch; kDequantized: low-bit weights [out, in]
  std::vector<Tensor> shift_responses = {};  // per branch; kCodes: see shift_response
  std::vector<PreparedLinear> ranges = {};   // as in `linear`

  Tensor run(const Tensor& input, std::optional<double> timestep) const {
    if (ranges.empty()) return run(input);
    SVDLAB_REQUIRE(timestep, Errc::kConfig, "has a variant for each of ", ranges.size(),
                   " ranges of timesteps; say which timestep");
    return ranges[range_at(linear.ranges, *timestep)].state_->run(input);
  }

  // What the branches of one call see: the input, what is left of it beside ColumnsBranch, and T of that,
  // made by the first branch that needs it.
  struct Inputs {
    Tensor x, rest, transformed;
  };

  void prepare(const LowBitBranch& branch) {
    const bool decoded = execution == Execution::kDequantized;
    dense.push_back(decoded ? dequantize(branch.weight) : Tensor());
    shift_responses.push_back(decoded ? Tensor() : shift_response(branch, online));
  }
  template <class Other>
  void prepare(const Other&) {
    dense.emplace_back();
    shift_responses.emplace_back();
  }

  const Tensor& transformed(Inputs& in) const {
    if (!in.transformed.defined()) in.transformed = online.apply(in.rest);
    return in.transformed;
  }

  // y += the branch's output.
  void add(const LowBitBranch& branch, size_t index, Inputs& in, Tensor& y) const {
    if (execution == Execution::kCodes) return add_codes(branch, index, in, y);
    if (branch.activations)
      y.addmm_(fake_quantize(in.rest, online, *branch.activations, branch.segments, branch.ranges),
               dense[index].t());
    else
      y.addmm_(transformed(in), dense[index].t());
  }

  void add(const LowRankBranch& branch, size_t, Inputs& in, Tensor& y) const {
    y.addmm_(at::mm(transformed(in), branch.down.t()), branch.up.t());
  }

  // One weight after the other: x W^T with the rows of W as they are stored.
  void add(const SparseBranch& branch, size_t, Inputs& in, Tensor& y) const {
    const Tensor x = in.x.t().contiguous(), out = at::zeros({y.size(1), y.size(0)}, at::kFloat);
    const int64_t tokens = x.size(1), *starts = branch.starts.data_ptr<int64_t>(),
                  *columns = branch.columns.data_ptr<int64_t>();
    for (int64_t n = 0; n < out.size(0); ++n)
      for (int64_t i = starts[n]; i < starts[n + 1]; ++i) {
        const float weight = branch.values.data_ptr<float>()[i];
        const float* column = x.data_ptr<float>() + columns[i] * tokens;
        float* row = out.data_ptr<float>() + n * tokens;
        for (int64_t t = 0; t < tokens; ++t) row[t] += column[t] * weight;
      }
    y.add_(out.t());
  }

  void add(const ColumnsBranch& branch, size_t, Inputs& in, Tensor& y) const {
    const Tensor columns = columns_taken(branch, in.x);
    if (columns.numel() == 0) return;
    const Tensor weight =
        branch.threshold == 0 ? branch.weight : branch.weight.index_select(1, columns).contiguous();
    y.addmm_(in.x.index_select(1, columns), weight.t());
  }

  void add(const KroneckerBranch& branch, size_t, Inputs& in, Tensor& y) const {
    const int64_t k1 = branch.left.size(2), k2 = branch.right.size(2);
    const Tensor x = in.x.view({-1, k1, k2});
    for (int64_t k = 0; k < branch.left.size(0); ++k)
      y.add_(at::matmul(at::matmul(branch.left[k], x), branch.right[k].t()).reshape(y.sizes()));
  }

  void add_codes(const LowBitBranch& branch, size_t index, Inputs& in, Tensor& y) const {
    const CodedMatrix w = coded_matrix(branch.weight);
    const MatrixView<float> out = matrix_view<float>(y, "output");
    if (!branch.activations) return gemm_codes(matrix_view<float>(transformed(in), "input"), w, out);
    for (const SegmentCodes& part :
         quantize_input(in.rest, online, *branch.activations, branch.segments, branch.ranges))
      gemm_codes(part.view, columns_of(w, part.segment), out);
    if (shift_responses[index].defined()) y.sub_(shift_responses[index]);
  }

  Tensor run(const Tensor& input) const {
    SVDLAB_REQUIRE(
        input.dim() == 2 && input.size(1) == linear.in_features() && input.scalar_type() == at::kFloat,
        Errc::kInput, "input must be fp32 [tokens, ", linear.in_features(), "], is ", input.dtype(), " ",
        input.sizes());
    const Tensor x = input.contiguous();
    const std::vector<int64_t> sizes = {x.size(0), linear.out_features()};
    Tensor y = linear.bias.defined() ? linear.bias.expand(sizes).clone(at::MemoryFormat::Contiguous)
                                     : at::zeros(sizes, at::kFloat);
    Inputs in{x, without_columns(linear, x), {}};
    for (size_t i = 0; i < linear.branches.size(); ++i)
      std::visit([&](const auto& branch) { add(branch, i, in, y); }, linear.branches[i]);
    return y;
  }
};

PreparedLinear::PreparedLinear(const CompressedLinear& linear, Execution execution)
    : state_(std::make_unique<State>(State{linear, execution, linear.online()})) {
  for (const Branch& branch : state_->linear.branches)
    std::visit([this](const auto& b) { state_->prepare(b); }, branch);
  for (const TimestepVariant& range : state_->linear.ranges)
    state_->ranges.emplace_back(range.linear, execution);
}
PreparedLinear::~PreparedLinear() = default;
PreparedLinear::PreparedLinear(PreparedLinear&&) noexcept = default;

Tensor PreparedLinear::run(const Tensor& x, std::optional<double> timestep) const {
  const NoGradGuard no_grad;  // quantization has no gradient: a request for one must fail, not be wrong
  try {
    return state_->run(x, timestep);
  } catch (const Error& e) {
    throw Error(e.code(), concat("linear '", state_->linear.name, "': ", e.what()));
  }
}

Tensor run_compressed(const CompressedLinear& linear, const Tensor& x, Execution execution,
                      std::optional<double> timestep) {
  return PreparedLinear(linear, execution).run(x, timestep);
}

}  // namespace svdlab
