#include "core/base/error.h"
#include "core/runtime/compat.h"
#include "core/runtime/ops.h"
#include "experiments/bench/step_bench.h"

namespace svdlab {
namespace {

bool converted(const LinearSpec& spec) {
  return spec.role != Role::kEmbed && spec.role != Role::kTimeEmbed && spec.role != Role::kFinal;
}

#if SVDLAB_TORCH_AT_LEAST(2, 5)

constexpr double kLargest = 448;

// One reading pass for the scale, one for the codes.
std::pair<Tensor, Tensor> to_float8(const Tensor& x) {
  const auto [low, high] = at::aminmax(x);
  const Tensor scale = at::maximum(high, low.neg()).to(at::kFloat).clamp_min_(1e-12).div_(kLargest);
  // A bf16 reciprocal leaves the largest at most 2 above 448, which still rounds to it.
  return {x.mul(scale.reciprocal().to(x.scalar_type())).to(at::kFloat8_e4m3fn), scale};
}

Tensor multiply(const Tensor& x, const Tensor& x_scale, const Tensor& w, const Tensor& w_scale,
                const Tensor& bias) {
  return at::_scaled_mm(x, w.t(), x_scale, w_scale, bias, {}, at::kBFloat16, true);
}

#else

[[noreturn]] void unsupported() {
  throw Error(Errc::kConfig, concat("unsupported: fp8 linears, torch ", TORCH_VERSION,
                                    " has no _scaled_mm of this form; use 2.5 or newer"));
}
std::pair<Tensor, Tensor> to_float8(const Tensor&) { unsupported(); }
Tensor multiply(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&) { unsupported(); }

#endif

// The linears of the blocks in fp8 (e4m3) by torch's _scaled_mm: one scale for a weight, one for an input,
// found as it comes. A baseline of speed.
class Float8Step final : public StepModel {
 public:
  // Weights are converted one by one and replaced by stubs, so that their 16-bit memory is free.
  Float8Step(const StepShape& shape, at::Device device) : inputs_(step_inputs(shape, device)) {
    const TensorSource random = random_weights(device);
    graph_ = build_flux(shape.model, random);
    weights_.resize(graph_.linears.size());
    for (size_t i = 0; i < graph_.linears.size(); ++i) {
      LinearSpec& spec = graph_.linears[i];
      if (!converted(spec)) continue;
      std::tie(weights_[i].codes, weights_[i].scale) = to_float8(spec.weight);
      spec.weight = weight_stub(spec.weight.sizes(), device);
    }
    last_use_.assign(graph_.nodes.size(), -1);
    for (size_t i = 0; i < graph_.nodes.size(); ++i)
      for (const int input : graph_.nodes[i].inputs) last_use_[input] = static_cast<int>(i);
  }

  const Graph& graph() const override { return graph_; }

  int64_t weight_bytes() const override {
    int64_t bytes = graph_bytes(graph_);
    for (const Weight& w : weights_)
      if (w.codes.defined()) bytes += w.codes.numel() + 4;
    return bytes;
  }

  Tensor run(const GraphRunner::Observer& observer) const override {
    std::vector<Tensor> values(graph_.nodes.size());
    Input last;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& node = graph_.nodes[i];
      std::vector<Tensor> in;
      for (const int index : node.inputs) in.push_back(values[index]);
      values[i] = evaluate(node, in, last);
      if (observer) observer(static_cast<int>(i), in, values[i]);
      for (const int index : node.inputs)
        if (last_use_[index] == static_cast<int>(i)) values[index] = Tensor();
    }
    return values[graph_.output];
  }

 private:
  struct Weight {
    Tensor codes, scale;  // [out, in] e4m3, fp32; undefined where the linear stays in 16 bit
  };
  struct Input {  // the one quantized last: q, k and v share theirs
    Tensor source, codes, scale;
  };

  Tensor evaluate(const Node& node, const std::vector<Tensor>& in, Input& last) const {
    if (node.op == Op::kInput) return inputs_.at(node.id);
    if (node.op == Op::kLinear) return linear(node.linear, in[0], last);
    const Tensor parameter = node.parameter.empty() ? Tensor() : graph_.parameters.at(node.parameter);
    const Tensor out = run_op(node, in, parameter, Precision::kBf16);
    return node.op == Op::kTimestepEmbedding ? out.to(at::kBFloat16) : out;
  }

  Tensor linear(int index, const Tensor& x, Input& last) const {
    const LinearSpec& spec = graph_.linears[index];
    const Weight& w = weights_[index];
    if (!w.codes.defined()) return at::linear(x, spec.weight, spec.bias);
    if (!last.source.is_same(x)) {
      last.source = x;
      std::tie(last.codes, last.scale) = to_float8(x.reshape({-1, x.size(-1)}));
    }
    std::vector<int64_t> shape = x.sizes().vec();
    shape.back() = spec.out_features();
    return multiply(last.codes, last.scale, w.codes, w.scale, spec.bias).view(shape);
  }

  NamedTensors inputs_;
  Graph graph_;
  std::vector<Weight> weights_;  // by linear
  std::vector<int> last_use_;    // node -> last node that reads it
};

}  // namespace

std::unique_ptr<StepModel> make_float8_step(const StepShape& shape, at::Device device) {
  return std::make_unique<Float8Step>(shape, device);
}

}  // namespace svdlab
