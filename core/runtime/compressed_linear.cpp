#include "core/runtime/compressed_linear.h"

#include "core/base/error.h"
#include "core/ir/quantize.h"
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
  if (grouped)
    out.scales = {w.scales.data + s.begin / w.group, w.scales.rows, s.size() / w.group, w.scales.row_stride};
  return out;
}

// What the shift behind GELU adds to every row of codes times weights: [out], or undefined without a shift.
Tensor shift_response(const LowBitBranch& branch, const Tensor& smooth) {
  if (!branch.activations || !branch.activations->shift_after_gelu) return {};
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

}  // namespace

struct PreparedLinear::State {
  CompressedLinear linear;
  Execution execution;
  std::vector<Tensor> dense;            // per branch; kDequantized: low-bit weights [out, in]
  std::vector<Tensor> shift_responses;  // per branch; kCodes: see shift_response

  void prepare(const LowBitBranch& branch) {
    const bool decoded = execution == Execution::kDequantized;
    dense.push_back(decoded ? dequantize(branch.weight) : Tensor());
    shift_responses.push_back(decoded ? Tensor() : shift_response(branch, linear.smooth));
  }
  void prepare(const LowRankBranch&) {
    dense.emplace_back();
    shift_responses.emplace_back();
  }

  Tensor smoothed(const Tensor& x) const { return linear.smooth.defined() ? x / linear.smooth : x; }

  // y += the branch's output. x_hat is made by the first branch that needs it.
  void add(const LowBitBranch& branch, size_t index, const Tensor& x, Tensor& x_hat, Tensor& y) const {
    if (execution == Execution::kCodes) return add_codes(branch, index, x, x_hat, y);
    if (branch.activations) {
      y.addmm_(fake_quantize(x, linear.smooth, *branch.activations, branch.segments), dense[index].t());
    } else {
      if (!x_hat.defined()) x_hat = smoothed(x);
      y.addmm_(x_hat, dense[index].t());
    }
  }

  void add(const LowRankBranch& branch, size_t, const Tensor& x, Tensor& x_hat, Tensor& y) const {
    if (!x_hat.defined()) x_hat = smoothed(x);
    y.addmm_(at::mm(x_hat, branch.down.t()), branch.up.t());
  }

  void add_codes(const LowBitBranch& branch, size_t index, const Tensor& x, Tensor& x_hat, Tensor& y) const {
    const CodedMatrix w = coded_matrix(branch.weight);
    const MatrixView<float> out = matrix_view<float>(y, "output");
    if (!branch.activations) {
      if (!x_hat.defined()) x_hat = smoothed(x);
      return gemm_codes(matrix_view<float>(x_hat, "input"), w, out);
    }
    for (const SegmentCodes& part : quantize_input(x, linear.smooth, *branch.activations, branch.segments))
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
    Tensor x_hat;
    for (size_t i = 0; i < linear.branches.size(); ++i)
      std::visit([&](const auto& branch) { add(branch, i, x, x_hat, y); }, linear.branches[i]);
    return y;
  }
};

PreparedLinear::PreparedLinear(const CompressedLinear& linear, Execution execution)
    : state_(std::make_unique<State>(State{linear, execution, {}, {}})) {
  for (const Branch& branch : state_->linear.branches)
    std::visit([this](const auto& b) { state_->prepare(b); }, branch);
}
PreparedLinear::~PreparedLinear() = default;
PreparedLinear::PreparedLinear(PreparedLinear&&) noexcept = default;

Tensor PreparedLinear::run(const Tensor& x) const {
  const NoGradGuard no_grad;  // quantization has no gradient: a request for one must fail, not be wrong
  try {
    return state_->run(x);
  } catch (const Error& e) {
    throw Error(e.code(), concat("linear '", state_->linear.name, "': ", e.what()));
  }
}

Tensor run_compressed(const CompressedLinear& linear, const Tensor& x, Execution execution) {
  return PreparedLinear(linear, execution).run(x);
}

}  // namespace svdlab
