#include "core/models/linear_model.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/io/yaml.h"

namespace svdlab {
namespace {

struct LinearModel {
  const char *class_name, *architecture;
  Producer before_ff_down;  // GELU proper is shifted; GEGLU multiplies, and is not
};
constexpr LinearModel kModels[] = {
    {"PixArtTransformer2DModel", "pixart", Producer::kGelu},
    {"SanaTransformer2DModel", "sana", Producer::kInput},
    {"UNet2DConditionModel", "sdxl", Producer::kInput},
};

struct LinearKind {
  const char* name;  // in its transformer block
  Role role;
  Producer producer;
  const char* shares = "";  // the linear whose input it is
};
constexpr LinearKind kKinds[] = {
    {"attn1.to_q", Role::kQuery, Producer::kInput},
    {"attn1.to_k", Role::kKey, Producer::kInput, "attn1.to_q"},
    {"attn1.to_v", Role::kValue, Producer::kInput, "attn1.to_q"},
    {"attn1.to_out.0", Role::kAttentionOut, Producer::kAttention},
    {"attn2.to_q", Role::kQuery, Producer::kInput},
    {"attn2.to_k", Role::kKey, Producer::kInput},
    {"attn2.to_v", Role::kValue, Producer::kInput, "attn2.to_k"},
    {"attn2.to_out.0", Role::kAttentionOut, Producer::kAttention},
    {"ff.net.0.proj", Role::kFfUp, Producer::kInput},
    {"ff.net.2", Role::kFfDown, Producer::kGelu},
};

const LinearModel* find_model(const std::string& class_name) {
  for (const LinearModel& m : kModels)
    if (class_name == m.class_name) return &m;
  return nullptr;
}

// "a.transformer_blocks.3" of "a.transformer_blocks.3.attn1.to_q", or "".
std::string block_of(const std::string& linear) {
  const std::string blocks = "transformer_blocks.";
  const size_t at = linear.find(blocks);
  if (at == std::string::npos) return "";
  return linear.substr(0, linear.find('.', at + blocks.size()));
}

const LinearKind* kind_of(const std::string& linear, const std::string& block) {
  for (const LinearKind& kind : kKinds)
    if (!block.empty() && linear == block + "." + kind.name) return &kind;
  return nullptr;
}

// Linears of a checkpoint, one group for each input.
class Builder {
 public:
  Builder(const LinearModel& model, const std::map<std::string, Tensor>& tensors) : model_(model) {
    graph_.architecture = model.architecture;
    graph_.nodes.push_back({.id = "input"});
    graph_.output = 0;
    for (const auto& [name, tensor] : tensors) {
      const std::string ending = ".weight";
      if (!name.ends_with(ending) || tensor.dim() != 2) continue;
      const std::string linear = name.substr(0, name.size() - ending.size());
      const auto bias = tensors.find(linear + ".bias");
      add(linear, tensor, bias == tensors.end() ? Tensor() : bias->second);
    }
  }

  Graph finish() {
    for (auto& [input, members] : inputs_) {
      const auto named = [&](int l) { return graph_.linears[l].name == input; };
      std::stable_partition(members.begin(), members.end(), named);
      SVDLAB_REQUIRE(named(members.front()), Errc::kInput, "tensor ", input, ".weight is missing, but ",
                     graph_.linears[members.front()].name, ".weight, which shares its input, is there");
      graph_.groups.push_back({.name = input, .members = members, .branches = {members}});
    }
    validate(graph_);
    return std::move(graph_);
  }

 private:
  void add(const std::string& name, const Tensor& weight, const Tensor& bias) {
    const int index = static_cast<int>(graph_.linears.size());
    const std::string block = block_of(name);
    const LinearKind* kind = kind_of(name, block);
    const bool down = kind && kind->role == Role::kFfDown;
    const Producer producer = !kind ? Producer::kInput : down ? model_.before_ff_down : kind->producer;
    graph_.linears.push_back({.name = name,
                              .weight = weight,
                              .bias = bias,
                              .role = kind ? kind->role : Role::kEmbed,
                              .block = block,
                              .segments = {{0, weight.size(1), producer}}});
    graph_.nodes.push_back({.id = name, .op = Op::kLinear, .inputs = {0}, .linear = index});
    const bool shares = kind && *kind->shares != '\0';
    inputs_[shares ? block + "." + kind->shares : name].push_back(index);
  }

  const LinearModel& model_;
  Graph graph_;
  std::map<std::string, std::vector<int>> inputs_;  // first linear -> all of them
};

}  // namespace

bool is_linear_model(const std::string& class_name) { return find_model(class_name) != nullptr; }

Model load_quantizable(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) return load_model(folder);  // which says so
  const Value config = load_yaml(folder + "/config.json");
  const Value* name = config.find("_class_name");
  const LinearModel* model = name ? find_model(name->as_text("_class_name")) : nullptr;
  if (model == nullptr) return load_model(folder);
  return {.path = folder,
          .class_name = model->class_name,
          .graph = Builder(*model, load_safetensors(folder)).finish()};
}

}  // namespace svdlab
