#include "tests/support/fused_problem.h"

#include <cmath>

#include "core/base/names.h"
#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab::testing {
namespace {

Tensor bf16_values(const Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); }

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Modulations stay small, or activations would grow from block to block; gains of norms lie around 1.
Tensor random_weight(const std::string& name, at::IntArrayRef shape) {
  const Tensor t = random_tensor(shape, name);
  const bool gain = contains(name, "norm_") && !contains(name, "linear");
  if (shape.size() == 1) return gain ? 1 + 0.1 * t : 0.05 * t;
  return t * ((contains(name, "norm") ? 0.3 : 1.0) / std::sqrt(static_cast<double>(shape[1])));
}

}  // namespace

CompressedLinear compressed_linear(const LinearSpec& spec, const CompressedKind& kind,
                                   const std::string& group) {
  const Scheme& scheme = scheme_named(kind.scheme);
  const int64_t k = spec.in_features();
  CompressedLinear out{.name = spec.name};
  if (kind.smooth) out.smooth = bf16_values((0.3 * random_tensor({k}, group + ".smooth")).exp());
  Tensor weight = spec.weight.to(at::kFloat);
  if (kind.smooth) weight = weight * out.smooth;
  if (spec.bias.defined()) out.bias = spec.bias.to(at::kFloat);
  if (kind.rank > 0) {
    const Tensor down = bf16_values(random_tensor({kind.rank, k}, group + ".down") / std::sqrt(1.0 * k));
    const Tensor up = bf16_values(0.2 * random_tensor({spec.out_features(), kind.rank}, spec.name + ".up"));
    out.branches.emplace_back(LowRankBranch{down, up});
    weight = weight - at::mm(up, down);
  }
  out.branches.emplace_back(
      LowBitBranch{quantize(weight.contiguous(), *scheme.weights), scheme.activations, spec.segments});
  return out;
}

CompressedModel compressed_model(const Graph& graph, const CompressedKind& kind) {
  CompressedModel out;
  for (const LayerGroup& group : graph.groups)
    for (const std::vector<int>& branch : group.branches)
      for (const int member : branch) {
        const LinearSpec& spec = graph.linears[member];
        if (spec.block.empty()) continue;
        const CompressedKind own =
            spec.role == Role::kAdaLn ? CompressedKind{"w4a16-int4-g64", 0, false} : kind;
        CompressedLinear linear = compressed_linear(spec, own, group.name);
        // A down factor of each branch's own; the weight is not refitted, which is all the same here.
        if (LowRankBranch* low_rank = linear.branches.empty() || own.rank == 0
                                          ? nullptr
                                          : std::get_if<LowRankBranch>(&linear.branches[0]))
          low_rank->down =
              bf16_values(random_tensor(low_rank->down.sizes(), graph.linears[branch[0]].name + ".branch") /
                          std::sqrt(1.0 * spec.in_features()));
        out.linears[spec.name] = std::move(linear);
      }
  return out;
}

FluxConfig small_flux() {
  FluxConfig config;
  config.in_channels = config.out_channels = 12;
  config.num_layers = config.num_single_layers = 1;
  config.attention_head_dim = 64;
  config.num_attention_heads = 4;
  config.joint_attention_dim = config.pooled_projection_dim = 16;
  config.guidance_embeds = true;
  config.axes_dims_rope = {8, 28, 28};
  return config;
}

Graph random_flux(const FluxConfig& config) {
  return build_flux(config, [](const std::string& name, at::IntArrayRef shape) {
    return random_weight(name, shape).to(at::kBFloat16);
  });
}

NamedTensors flux_inputs(const FluxConfig& config, int64_t items, int64_t side) {
  const int64_t tokens = side * side, text = 5;
  Tensor ids = at::zeros({tokens, 3});
  for (int64_t i = 0; i < tokens; ++i) {
    ids[i][1] = static_cast<double>(i / side);
    ids[i][2] = static_cast<double>(i % side);
  }
  NamedTensors out{
      {"hidden_states", random_tensor({items, tokens, config.in_channels}, "latents")},
      {"encoder_hidden_states", random_tensor({items, text, config.joint_attention_dim}, "text")},
      {"pooled_projections", random_tensor({items, config.pooled_projection_dim}, "pooled")},
      {"timestep", at::full({items}, 0.7, at::kFloat)},
      {"img_ids", ids},
      {"txt_ids", at::zeros({text, 3})}};
  if (config.guidance_embeds) out["guidance"] = at::full({items}, 2.0, at::kFloat);
  return out;
}

}  // namespace svdlab::testing
