#include "experiments/calibrate/gradients.h"

#include <cmath>

namespace svdlab {
namespace {

// Everything that is computed depends on one of these, so the backward pass reaches every linear.
NamedTensors leaves_of(const NamedTensors& inputs) {
  NamedTensors out;
  for (const auto& [name, tensor] : inputs) {
    const bool position = name == "img_ids" || name == "txt_ids";
    out[name] = position ? tensor : tensor.detach().clone().requires_grad_(true);
  }
  return out;
}

Tensor random_signs(const Tensor& like, const Rng& probe) {
  Tensor signs = at::empty(like.sizes(), at::kFloat);
  float* values = signs.data_ptr<float>();
  for (int64_t i = 0; i < signs.numel(); ++i)
    values[i] = probe.bits(static_cast<uint64_t>(i)) >> 31 ? 1.0f : -1.0f;
  return signs.to(like.options());
}

Tensor as_rows(const Tensor& x) { return x.reshape({-1, x.size(-1)}).to(at::kFloat); }

}  // namespace

void add_gradients(const Executor& executor, const Graph& graph, const NamedTensors& inputs, const Rng& probe,
                   const std::set<std::string>& full, StatsMap& into) {
  const c10::AutoGradMode with_gradients(true);
  std::set<int> reached;
  const auto add = [&](int linear, const Tensor& gradient) {
    const LayerGroup& group = graph.group_of(linear);
    into[group.name].fisher[graph.linears[linear].name].add(gradient, full.count(group.name) > 0);
  };
  const auto observe = [&](int node, const std::vector<Tensor>& in, const Tensor& output) {
    const int linear = graph.nodes[node].linear;
    if (linear < 0 || !output.requires_grad()) return;
    output.register_hook([&add, &reached, linear, x = in[0].detach()](const Tensor& gradient) {
      const NoGradGuard no_grad;
      reached.insert(linear);
      add(linear, as_rows(gradient).t().matmul(as_rows(x)));
    });
  };
  const Tensor out = executor.run(leaves_of(inputs), observe);
  out.backward(random_signs(out, probe) / std::sqrt(static_cast<double>(out.numel())));
  // What the output does not depend on has a gradient, too: zero.
  for (size_t i = 0; i < graph.linears.size(); ++i)
    if (!reached.count(static_cast<int>(i))) {
      const LinearSpec& spec = graph.linears[i];
      add(static_cast<int>(i), at::zeros({spec.out_features(), spec.in_features()}));
    }
}

}  // namespace svdlab
