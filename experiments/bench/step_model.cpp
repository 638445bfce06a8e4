#include "experiments/bench/step_model.h"

#include <cmath>
#include <set>

#include "core/base/error.h"

namespace svdlab {
namespace {

at::TensorOptions bf16_on(at::Device device) { return at::TensorOptions(at::kBFloat16).device(device); }

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

Tensor image_positions(int64_t tokens) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(tokens))));
  SVDLAB_REQUIRE(side * side == tokens, Errc::kConfig, "image tokens ", tokens,
                 " are no square; nearest: ", side * side);
  const Tensor index = at::arange(tokens, at::kFloat);
  const Tensor row = at::floor(index / static_cast<double>(side));
  return at::stack({at::zeros_like(index), row, index - row * static_cast<double>(side)}, 1);
}

}  // namespace

TensorSource random_weights(at::Device device) {
  return [device](const std::string& name, at::IntArrayRef shape) {
    at::manual_seed(std::hash<std::string>()(name));
    const Tensor normal = at::randn(shape, bf16_on(device));
    if (shape.size() == 2) return normal.mul_(1.0 / std::sqrt(static_cast<double>(shape[1])));
    return ends_with(name, ".bias") ? normal.mul_(0.02) : normal.mul_(0.1).add_(1.0);
  };
}

NamedTensors step_inputs(const StepShape& shape, at::Device device) {
  at::manual_seed(1);
  const auto normal = [&](at::IntArrayRef sizes) { return at::randn(sizes, bf16_on(device)); };
  NamedTensors out{{"hidden_states", normal({1, shape.image_tokens, shape.model.in_channels})},
                   {"encoder_hidden_states", normal({1, shape.text_tokens, shape.model.joint_attention_dim})},
                   {"pooled_projections", normal({1, shape.model.pooled_projection_dim})},
                   {"timestep", at::full({1}, 0.5, at::kFloat).to(device)},
                   {"img_ids", image_positions(shape.image_tokens).to(device)},
                   {"txt_ids", at::zeros({shape.text_tokens, 3}, at::kFloat).to(device)}};
  if (shape.model.guidance_embeds) out["guidance"] = at::full({1}, 3.5, at::kFloat).to(device);
  return out;
}

Tensor weight_stub(at::IntArrayRef shape, at::Device device) {
  return at::zeros({1}, bf16_on(device)).expand(shape);
}

int64_t graph_bytes(const Graph& graph) {
  std::set<const void*> seen;
  int64_t bytes = 0;
  const auto count = [&](const Tensor& t) {
    if (t.defined() && seen.insert(t.storage().unsafeGetStorageImpl()).second)
      bytes += static_cast<int64_t>(t.storage().nbytes());
  };
  for (const LinearSpec& spec : graph.linears) count(spec.weight), count(spec.bias);
  for (const auto& [name, parameter] : graph.parameters) count(parameter);
  return bytes;
}

}  // namespace svdlab
