#pragma once
#include "core/io/export_source.h"
#include "core/ir/quantize.h"
#include "core/models/flux.h"
#include "tests/core/io/compressed_unit_samples.h"

namespace svdlab::testing {

/// A FLUX of two kinds of block whose sizes fill no tile: hidden 64, proj_out [64, 320].
inline const char* kSmallFluxConfig =
    R"({"_class_name": "FluxTransformer2DModel", "num_layers": 1, "num_single_layers": 1,
        "attention_head_dim": 32, "num_attention_heads": 2, "in_channels": 4, "joint_attention_dim": 8,
        "pooled_projection_dim": 8, "axes_dims_rope": [8, 12, 12]})";

inline Graph small_flux(int64_t heads = 2) {
  FluxConfig config;
  config.num_layers = config.num_single_layers = 1;
  config.attention_head_dim = 32;
  config.num_attention_heads = heads;
  config.in_channels = config.out_channels = 4;
  config.joint_attention_dim = config.pooled_projection_dim = 8;
  config.axes_dims_rope = {8, 12, 12};
  return build_flux(config, [](const std::string& name, at::IntArrayRef shape) {
    return random_bf16(shape, name).to(at::kBFloat16);
  });
}

/// Every linear in a block with random contents under `scheme`, adaLN in W4A16; what a group shares is
/// shared.
inline CompressedModel random_flux_model(const Graph& graph, const Scheme& scheme, int64_t rank) {
  CompressedModel out;
  for (const LayerGroup& group : graph.groups) {
    const Tensor* smooth = nullptr;
    for (const std::vector<int>& branch : group.branches) {
      const Tensor* down = nullptr;
      for (const int index : branch) {
        const LinearSpec& spec = graph.linears[index];
        if (spec.block.empty()) continue;
        const bool adaln = spec.role == Role::kAdaLn;
        CompressedLinear& linear = out.linears[spec.name] =
            random_compressed(spec.name, spec.out_features(), spec.in_features(), adaln ? 0 : rank,
                              adaln ? scheme_named("w4a16-int4-g64") : scheme);
        std::get<LowBitBranch>(linear.branches[0]).segments = spec.segments;
        if (adaln) linear.smooth = Tensor();
        if (smooth) linear.smooth = *smooth;
        smooth = &linear.smooth;
        if (adaln || rank == 0) continue;
        if (down) std::get<LowRankBranch>(linear.branches[1]).down = *down;
        down = &std::get<LowRankBranch>(linear.branches[1]).down;
      }
    }
  }
  return out;
}

inline ExportSource small_flux_source(const CompressedModel& model, const Graph& graph) {
  return export_source(model, graph, "FluxTransformer2DModel", kSmallFluxConfig);
}

}  // namespace svdlab::testing
