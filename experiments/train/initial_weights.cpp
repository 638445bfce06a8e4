#include "experiments/train/initial_weights.h"

#include <cmath>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace svdlab {
namespace {

bool ends_with(const std::string& text, const std::string& tail) {
  return text.size() >= tail.size() && text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

/// Layers whose output must start at zero: modulations, the network's output, and the guidance embedding (a
/// student then starts as its teacher).
bool starts_at_zero(const std::string& name) {
  return name.find("norm1.linear.") != std::string::npos ||
         name.find("norm1_context.linear.") != std::string::npos ||
         name.find(".norm.linear.") != std::string::npos || name.rfind("norm_out.linear.", 0) == 0 ||
         name.rfind("proj_out.", 0) == 0 || name.find("guidance_embedder.linear_2.") != std::string::npos;
}

Tensor normal(uint64_t seed, const std::string& name, at::IntArrayRef shape) {
  const Rng rng(seed, "weights/" + name);
  Tensor t = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < t.numel(); ++i) t.data_ptr<float>()[i] = static_cast<float>(rng.normal(i));
  return t;
}

Tensor fresh(uint64_t seed, const std::string& name, at::IntArrayRef shape) {
  if (starts_at_zero(name) || ends_with(name, ".bias")) return at::zeros(shape, at::kFloat);
  if (shape.size() == 1) return at::ones(shape, at::kFloat);
  const double bound = std::sqrt(6.0 / static_cast<double>(shape[0] + shape[1]));
  const Rng rng(seed, "weights/" + name);
  Tensor t = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < t.numel(); ++i)
    t.data_ptr<float>()[i] = static_cast<float>(bound * (2.0 * rng.uniform(i) - 1.0));
  return t;
}

}  // namespace

std::vector<std::pair<std::string, Tensor>> initial_weights(const TrainConfig& config, const FluxConfig& flux,
                                                            const std::map<std::string, Tensor>& start_from) {
  std::vector<std::pair<std::string, Tensor>> out;
  const auto from = [&](const std::string& name, at::IntArrayRef shape) {
    const auto found = start_from.find(name);
    if (found == start_from.end()) return Tensor();
    SVDLAB_REQUIRE(found->second.sizes() == shape, Errc::kConfig, name, " of the teacher has shape ",
                   found->second.sizes(), ", the student's has ", shape, "; they must be one architecture");
    return found->second.to(at::kFloat);
  };
  build_flux(flux, [&](const std::string& name, at::IntArrayRef shape) {
    const Tensor known = from(name, shape);
    out.emplace_back(name, known.defined() ? known : fresh(config.seed, name, shape));
    return out.back().second;
  });
  const std::vector<std::pair<std::string, std::vector<int64_t>>> tables{
      {kTokensName, {11, config.text_tokens, flux.joint_attention_dim}},
      {kPooledName, {11, flux.pooled_projection_dim}}};
  for (const auto& [name, shape] : tables) {
    const Tensor known = from(name, shape);
    out.emplace_back(name, known.defined() ? known : normal(config.seed, name, shape));
  }
  return out;
}

}  // namespace svdlab
