#include "core/io/lora_targets.h"

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/io/safetensors_dtype.h"

namespace svdlab {
namespace {

constexpr const char* kPrefixes[] = {"base_model_model_", "lora_transformer_", "lora_unet_",
                                     "transformer_",      "diffusion_model_",  "unet_"};

struct FluxName {
  const char* first;               // in FLUX.1's first release
  std::vector<const char*> parts;  // in diffusers, row after row
};

const std::vector<FluxName> kDouble = {
    {"img_attn_qkv", {"attn.to_q", "attn.to_k", "attn.to_v"}},
    {"txt_attn_qkv", {"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"}},
    {"img_attn_proj", {"attn.to_out.0"}},
    {"txt_attn_proj", {"attn.to_add_out"}},
    {"img_mlp_0", {"ff.net.0.proj"}},
    {"img_mlp_2", {"ff.net.2"}},
    {"txt_mlp_0", {"ff_context.net.0.proj"}},
    {"txt_mlp_2", {"ff_context.net.2"}},
    {"img_mod_lin", {"norm1.linear"}},
    {"txt_mod_lin", {"norm1_context.linear"}},
};
const std::vector<FluxName> kSingle = {
    {"linear1", {"attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"}},
    {"linear2", {"proj_out"}},
    {"modulation_lin", {"norm.linear"}},
};
constexpr const char* kSwapped = "final_layer_adaLN_modulation_1";  // its halves are shift | scale there
const std::vector<FluxName> kOutside = {
    {"img_in", {"x_embedder"}},
    {"txt_in", {"context_embedder"}},
    {"time_in_in_layer", {"time_text_embed.timestep_embedder.linear_1"}},
    {"time_in_out_layer", {"time_text_embed.timestep_embedder.linear_2"}},
    {"vector_in_in_layer", {"time_text_embed.text_embedder.linear_1"}},
    {"vector_in_out_layer", {"time_text_embed.text_embedder.linear_2"}},
    {"guidance_in_in_layer", {"time_text_embed.guidance_embedder.linear_1"}},
    {"guidance_in_out_layer", {"time_text_embed.guidance_embedder.linear_2"}},
    {"final_layer_linear", {"proj_out"}},
    {kSwapped, {"norm_out.linear"}},
};

std::string underscored(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '.' || c == ':'; }, '_');
  return name;
}

// "lora_unet_x" and "transformer.x" are both "x".
std::string without_prefixes(std::string name) {
  name = underscored(name);
  for (const char* prefix : kPrefixes) {
    const std::string text = prefix;
    // A block of a transformer is no prefix.
    if (name.rfind(text, 0) == 0 && name.rfind("transformer_blocks_", 0) != 0)
      name = name.substr(text.size());
  }
  return name;
}

// Every name a module may have -> the linears it stands for.
class Names {
 public:
  explicit Names(const std::vector<LinearShape>& linears) {
    for (const LinearShape& l : linears) shapes_[l.name] = &l;
    for (const LinearShape& l : linears) known_[underscored(l.name)] = {l.name};
    add(kOutside, "", "");
    for (const LinearShape& l : linears) {
      add_block(l.name, "transformer_blocks.", "double_blocks_", kDouble);
      add_block(l.name, "single_transformer_blocks.", "single_blocks_", kSingle);
    }
  }

  /// What `module` stands for, as it is or without prefixes: its name here and its linears, or null.
  const std::pair<const std::string, std::vector<std::string>>* find(const std::string& module) const {
    auto found = known_.find(underscored(module));
    if (found == known_.end()) found = known_.find(without_prefixes(module));
    return found == known_.end() ? nullptr : &*found;
  }
  const LinearShape& shape(const std::string& linear) const { return *shapes_.at(linear); }

 private:
  void add_block(const std::string& linear, const std::string& start, const std::string& first,
                 const std::vector<FluxName>& names) {
    if (linear.rfind(start, 0) != 0) return;
    const std::string number = linear.substr(start.size(), linear.find('.', start.size()) - start.size());
    add(names, start + number + ".", first + number + "_");
  }

  // Names all of whose parts are there; a name that is a linear's own stays that.
  void add(const std::vector<FluxName>& names, const std::string& prefix, const std::string& first) {
    for (const FluxName& name : names) {
      std::vector<std::string> parts;
      for (const char* part : name.parts)
        if (shapes_.count(prefix + part)) parts.push_back(prefix + part);
      if (parts.size() == name.parts.size()) known_.emplace(first + name.first, parts);
    }
  }

  std::map<std::string, const LinearShape*> shapes_;
  std::map<std::string, std::vector<std::string>> known_;
};

Tensor swapped_halves(const Tensor& up) {
  const int64_t half = up.size(0) / 2;
  return at::cat({up.slice(0, half), up.slice(0, 0, half)}, 0);
}

void require_fit(const LoraFile& lora, const LoraModule& module, const std::vector<std::string>& parts,
                 const Names& names) {
  int64_t rows = 0;
  std::string text;
  for (const std::string& part : parts) {
    rows += names.shape(part).out_features;
    text += (text.empty() ? "" : ", ") + part;
  }
  const int64_t columns = names.shape(parts.front()).in_features;
  SVDLAB_REQUIRE(module.up.size(0) == rows && module.down.size(1) == columns, Errc::kInput, lora.path, ": ",
                 printable(module.name), " changes a weight of [", module.up.size(0), ", ",
                 module.down.size(1), "], ", text, parts.size() > 1 ? " together are [" : " is [", rows, ", ",
                 columns, "]; it is an adapter of another model");
}

}  // namespace

MatchedLora match_lora(const LoraFile& lora, const std::vector<LinearShape>& linears, double strength) {
  const Names names(linears);
  MatchedLora out;
  std::map<std::string, std::string> module_of;
  for (const LoraModule& module : lora.modules) {
    const auto* known = names.find(module.name);
    if (!known) {
      out.unmatched.push_back(module.name);
      continue;
    }
    const std::vector<std::string>& parts = known->second;
    require_fit(lora, module, parts, names);
    const Tensor up = known->first == kSwapped ? swapped_halves(module.up) : module.up;
    int64_t row = 0;
    for (const std::string& part : parts) {
      const auto [before, is_new] = module_of.emplace(part, module.name);
      SVDLAB_REQUIRE(is_new, Errc::kInput, lora.path, ": ", printable(before->second), " and ",
                     printable(module.name), " are both for ", part);
      const int64_t end = row + names.shape(part).out_features;
      out.deltas[part].push_back({module.down, up.slice(0, row, end), strength * module.scale});
      row = end;
    }
  }
  return out;
}

}  // namespace svdlab
