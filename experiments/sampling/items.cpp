#include "experiments/sampling/items.h"

#include <cstdio>
#include <set>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "experiments/sampling/latents.h"

namespace svdlab {

SamplingFacts load_sampling_facts(const std::string& model_folder) {
  const Value value = load_yaml(model_folder + "/sampling.yaml");
  SamplingFacts facts;
  Fields f(value, "");
  facts.height = f.integer("height", facts.height);
  facts.width = f.integer("width", facts.width);
  facts.guidance = f.number("guidance", facts.guidance);
  if (const Value* classes = f.child("classes"))
    for (const Value& c : classes->items) facts.classes.push_back(c.as_text("classes"));
  f.finish();
  return facts;
}

std::vector<SampleItem> class_items(const Model& model, const Conditioning& conditioning,
                                    const SamplingFacts& facts, const std::string& prefix, int64_t count,
                                    uint64_t seed) {
  const int64_t tokens = facts.height / 2 * (facts.width / 2);
  const int64_t channels = static_cast<int64_t>(model.graph.facts.at("in_channels"));
  std::vector<SampleItem> items;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t label = i % conditioning.classes();
    const std::string class_name =
        label < static_cast<int64_t>(facts.classes.size()) ? facts.classes[label] : std::to_string(label);
    char index[24];
    std::snprintf(index, sizeof index, "%04lld", static_cast<long long>(i));
    SampleItem item{.name = prefix + "-" + index + "-" + class_name, .label = label};
    item.latents = item_noise(seed, item.name, tokens, channels);
    item.tokens = conditioning.tokens[label].unsqueeze(0);
    item.pooled = conditioning.pooled[label].unsqueeze(0);
    items.push_back(std::move(item));
  }
  return items;
}

std::vector<SampleItem> file_items(const Model& model, const std::string& path) {
  const SafetensorsFile file(path);
  std::set<std::string> names;
  for (const auto& [key, entry] : file.entries()) {
    const size_t dot = key.rfind('.');
    SVDLAB_REQUIRE(dot != std::string::npos, Errc::kInput, path, ": tensor \"", key,
                   "\" is not named <item>.latents, <item>.tokens or <item>.pooled");
    names.insert(key.substr(0, dot));
  }
  const auto need = [&](const std::string& name, int64_t dims, const char* fact) {
    SVDLAB_REQUIRE(file.entries().count(name), Errc::kInput, path, ": tensor \"", name, "\" is missing");
    const Tensor t = file.tensor(name).to(at::kFloat);
    const int64_t last = static_cast<int64_t>(model.graph.facts.at(fact));
    SVDLAB_REQUIRE(t.dim() == dims && t.size(-1) == last, Errc::kInput, path, ": \"", name, "\" has shape ",
                   t.sizes(), ", needs ", dims, " axes and a last axis of ", last, " (", fact, ")");
    return t.unsqueeze(0);
  };
  std::vector<SampleItem> items;
  for (const std::string& name : names) {
    SampleItem item{.name = name};
    item.latents = need(name + ".latents", 2, "in_channels");
    item.tokens = need(name + ".tokens", 2, "joint_attention_dim");
    item.pooled = need(name + ".pooled", 1, "pooled_projection_dim");
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace svdlab
