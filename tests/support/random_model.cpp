#include "tests/support/random_model.h"

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "core/models/conditioning.h"
#include "core/models/flux.h"
#include "tests/support/support.h"

namespace svdlab::testing {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Modulations stay small, or activations would grow from block to block; gains of norms lie around 1.
Tensor random_weight(const std::string& name, at::IntArrayRef shape) {
  const Tensor t = random_tensor(shape, name);
  if (shape.size() == 1) return contains(name, "norm_") && !contains(name, "linear") ? 1 + 0.1 * t : 0.05 * t;
  return t * ((contains(name, "norm") ? 0.3 : 1.0) / std::sqrt(static_cast<double>(shape[1])));
}

// Channel 0 behind the modulated norm becomes 0 * (1 - 1) + 0.
void make_huge(const std::string& name, int64_t hidden, Tensor& t) {
  if (contains(name, "single_transformer_blocks.0.norm.linear"))
    for (const int64_t row : {int64_t{0}, hidden}) t[row] = name.back() == 's' && row == hidden ? -1.0 : 0.0;
  if (name == "single_transformer_blocks.0.proj_mlp.weight") t[0][0] = 3e38;
}

std::string config_json(const RandomModel& m) {
  return concat(
      R"({"_class_name": "FluxTransformer2DModel", "patch_size": 1, "in_channels": 12, "num_layers": )",
      m.double_blocks, ", \"num_single_layers\": ", m.single_blocks,
      ", \"attention_head_dim\": 32, \"num_attention_heads\": ", m.heads,
      R"(, "joint_attention_dim": 16, "pooled_projection_dim": 16, "guidance_embeds": )",
      m.guidance_embeds ? "true" : "false", R"(, "axes_dims_rope": [8, 12, 12]})");
}

}  // namespace

void write_random_model(const std::string& folder, const RandomModel& m) {
  make_directories(folder);
  write_file(folder + "/config.json", config_json(m));
  write_file(folder + "/sampling.yaml", concat("height: ", m.side, "\nwidth: ", m.side,
                                               "\nguidance: 2.0\nclasses: [airplane, automobile, bird, cat, "
                                               "deer, dog, frog, horse, ship, truck]\n"));
  std::vector<StWrite> tensors;
  build_flux(parse_flux_config(load_yaml(folder + "/config.json")),
             [&](const std::string& name, at::IntArrayRef shape) {
               Tensor t = random_weight(name, shape);
               if (m.nan_weight && name == "single_transformer_blocks.0.proj_out.weight")
                 t[0][0] = std::numeric_limits<float>::quiet_NaN();
               if (m.huge_weight) make_huge(name, 32 * m.heads, t);
               tensors.push_back({.name = name, .tensor = t.to(at::kBFloat16)});
               return t;
             });
  save_safetensors_sharded(folder, "diffusion_pytorch_model", tensors, uint64_t{1} << 20);
  save_conditioning(folder, {random_tensor({11, 4, 16}, "tokens"), random_tensor({11, 16}, "pooled")});
}

}  // namespace svdlab::testing
