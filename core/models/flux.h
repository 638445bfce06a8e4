#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/ir/graph.h"
#include "core/models/tensor_source.h"

namespace svdlab {

/// config.json of diffusers' FluxTransformer2DModel (FLUX.1), with its defaults.
struct FluxConfig {
  int64_t patch_size = 1;
  int64_t in_channels = 64;
  int64_t out_channels = 64;
  int64_t num_layers = 19;
  int64_t num_single_layers = 38;
  int64_t attention_head_dim = 128;
  int64_t num_attention_heads = 24;
  int64_t joint_attention_dim = 4096;
  int64_t pooled_projection_dim = 768;
  bool guidance_embeds = false;
  std::vector<int64_t> axes_dims_rope = {16, 56, 56};

  int64_t hidden() const { return attention_head_dim * num_attention_heads; }
};

FluxConfig parse_flux_config(const Value& config_json);
/// Builds the graph of FluxTransformer2DModel, asking `source` for each tensor once, in graph order. Inputs:
/// hidden_states [B, L, in], encoder_hidden_states [B, T, joint], pooled_projections [B, pooled], timestep
/// [B] in [0, 1], guidance [B] when guidance_embeds, img_ids [L, 3], txt_ids [T, 3]. Output: [B, L, patch^2 *
/// out_channels].
Graph build_flux(const FluxConfig& config, const TensorSource& source);

}  // namespace svdlab
