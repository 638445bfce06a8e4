#include "core/io/lora_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>

#include "core/base/error.h"
#include "core/base/value.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/io/stored_tensor.h"
#include "core/io/yaml.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

enum class Part { kDown, kUp, kAlpha };

struct Suffix {
  const char* text;
  Part part;
};

// Longer ones before those they end with.
constexpr Suffix kSuffixes[] = {
    {".lora_down.weight", Part::kDown},
    {".lora_up.weight", Part::kUp},
    {".lora.down.weight", Part::kDown},
    {".lora.up.weight", Part::kUp},
    {".lora_A.weight", Part::kDown},
    {".lora_B.weight", Part::kUp},
    {":down", Part::kDown},
    {":up", Part::kUp},
    {".alpha", Part::kAlpha},
};

constexpr const char* kOtherKinds[] = {
    "lora_magnitude_vector", "dora_scale", "hada_w", "lokr_w", "lora_mid", "oft_", "on_input"};

constexpr const char* kNotTransformer[] = {"text_encoder", "lora_te", "te1_", "te2_", "<"};

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

bool cut_end(std::string& text, const std::string& end) {
  if (text.size() <= end.size() || text.compare(text.size() - end.size(), end.size(), end) != 0) return false;
  text.resize(text.size() - end.size());
  return true;
}

// x.lora_A.NAME.weight is x.lora_A.weight of the adapter NAME.
std::string without_adapter_name(const std::string& key) {
  for (const char* factor : {".lora_A.", ".lora_B."}) {
    const size_t at = key.find(factor);
    if (at == std::string::npos) continue;
    const size_t behind = at + std::string(factor).size();
    const std::string rest = key.substr(behind);
    if (rest != "weight" && rest.find('.') == rest.rfind('.') && rest.size() > 7 &&
        rest.substr(rest.size() - 7) == ".weight")
      return key.substr(0, behind) + "weight";
  }
  return key;
}

struct Parts {
  std::string down, up, alpha;  // tensor names
};

std::string& part_of(Parts& parts, Part part) {
  return part == Part::kDown ? parts.down : part == Part::kUp ? parts.up : parts.alpha;
}

std::optional<std::pair<std::string, Part>> split(const std::string& key) {
  std::string name = without_adapter_name(key);
  for (const Suffix& suffix : kSuffixes)
    if (cut_end(name, suffix.text)) return std::pair(name, suffix.part);
  return {};
}

// alpha / rank as PEFT configures it for all modules.
struct PeftScale {
  std::optional<double> alpha;
  bool rank_stabilized = false;

  double of(int64_t rank) const {
    const auto r = static_cast<double>(rank);
    return alpha ? *alpha / (rank_stabilized ? std::sqrt(r) : r) : 1;
  }
};

PeftScale peft_scale(const Value& config, const std::string& prefix) {
  const auto find = [&](const char* key) { return config.find(prefix + key); };
  for (const char* key : {"alpha_pattern", "rank_pattern"}) {
    const Value* v = find(key);
    SVDLAB_REQUIRE(!v || v->kind == Value::Kind::kNull || v->members.empty(), Errc::kInput, config.where,
                   ": `", prefix, key,
                   "` gives single layers another strength, which is not read; write alpha tensors");
  }
  const Value* dora = find("use_dora");
  SVDLAB_REQUIRE(!dora || dora->kind == Value::Kind::kNull || !dora->as_boolean("use_dora"), Errc::kInput,
                 config.where,
                 ": DoRA is no sum of the weight and a product of two factors; merge it where it was made");
  PeftScale out;
  const Value* alpha = find("lora_alpha");
  if (alpha && alpha->kind != Value::Kind::kNull) out.alpha = alpha->as_number("lora_alpha");
  const Value* stabilized = find("use_rslora");
  if (stabilized && stabilized->kind != Value::Kind::kNull)
    out.rank_stabilized = stabilized->as_boolean("use_rslora");
  return out;
}

PeftScale peft_scale_of(const SafetensorsFile& file, const std::string& config_path) {
  if (!config_path.empty()) return peft_scale(load_yaml(config_path), "");
  const auto found = file.metadata().find("lora_adapter_metadata");
  if (found == file.metadata().end()) return {};
  return peft_scale(parse_yaml(found->second, file.path() + " lora_adapter_metadata"), "transformer.");
}

class Reader {
 public:
  Reader(const SafetensorsFile& file, const PeftScale& peft) : file_(file), peft_(peft) {}

  LoraModule module(const std::string& name, const Parts& parts) const {
    for (const auto& [have, want, other] :
         {std::tuple(parts.down, parts.up, "up"), std::tuple(parts.up, parts.down, "down")})
      SVDLAB_REQUIRE(have.empty() || !want.empty(), Errc::kInput, file_.path(), ": tensor ", printable(have),
                     " has no ", other, " factor beside it");
    SVDLAB_REQUIRE(!parts.down.empty(), Errc::kInput, file_.path(), ": tensor ", printable(parts.alpha),
                   " has no factors beside it");
    LoraModule out{.name = name, .down = matrix(parts.down), .up = matrix(parts.up)};
    SVDLAB_REQUIRE(out.down.size(0) == out.up.size(1) && out.down.numel() > 0 && out.up.numel() > 0,
                   Errc::kInput, file_.path(), ": layer ", printable(name), ": down is ", out.down.sizes(),
                   ", up ", out.up.sizes(),
                   "; the rank must be the first size of one and the second of the other");
    const int64_t rank = out.down.size(0);
    out.scale = parts.alpha.empty() ? peft_.of(rank) : alpha(parts.alpha) / static_cast<double>(rank);
    return out;
  }

 private:
  Tensor floating(const std::string& name) const {
    const Tensor t = file_.tensor(name);
    SVDLAB_REQUIRE(at::isFloatingType(t.scalar_type()), Errc::kInput, file_.path(), ": tensor ",
                   printable(name), " is ", to_string(file_.entries().at(name).dtype),
                   ", must be F64, F32, F16 or BF16");
    SVDLAB_REQUIRE(at::isfinite(t.to(at::kFloat)).all().item<bool>(), Errc::kInput, file_.path(), ": tensor ",
                   printable(name), " has values that are not finite");
    return t;
  }

  Tensor matrix(const std::string& name) const {
    const Tensor t = floating(name);
    const bool pointwise = t.dim() == 4 && t.size(2) == 1 && t.size(3) == 1;
    SVDLAB_REQUIRE(t.dim() == 2 || pointwise, Errc::kInput, file_.path(), ": tensor ", printable(name),
                   " is ", t.sizes(), "; a factor of a linear has two sizes (a 1 x 1 convolution four)");
    return pointwise ? t.flatten(1) : t;
  }

  double alpha(const std::string& name) const {
    const Tensor t = floating(name);
    SVDLAB_REQUIRE(t.numel() == 1, Errc::kInput, file_.path(), ": tensor ", printable(name), " is ",
                   t.sizes(), ", an alpha is one number");
    return t.to(at::kDouble).item<double>();
  }

  const SafetensorsFile& file_;
  const PeftScale& peft_;
};

bool of_the_transformer(const std::string& key) {
  return std::none_of(std::begin(kNotTransformer), std::end(kNotTransformer),
                      [&](const char* start) { return starts_with(key, start); });
}

std::map<std::string, Parts> group_keys(const SafetensorsFile& file, std::vector<std::string>& left_out) {
  std::map<std::string, Parts> out;
  for (const auto& [key, entry] : file.entries()) {
    if (!of_the_transformer(key)) {
      left_out.push_back(key);
      continue;
    }
    for (const char* kind : kOtherKinds)
      SVDLAB_REQUIRE(
          key.find(kind) == std::string::npos, Errc::kInput, file.path(), ": tensor ", printable(key),
          ": the adapter is not W + scale up down (DoRA, LoHa, LoKr ...); merge it where it was made");
    const auto part = split(key);
    SVDLAB_REQUIRE(part, Errc::kInput, file.path(), ": tensor ", printable(key),
                   " is no part of a LoRA: names end with .lora_down.weight, .lora_up.weight, .alpha, "
                   ".lora_A.weight, .lora_B.weight, .lora.down.weight, .lora.up.weight, :down or :up");
    std::string& place = part_of(out[part->first], part->second);
    SVDLAB_REQUIRE(place.empty(), Errc::kInput, file.path(), ": tensors ", printable(place), " and ",
                   printable(key), " are the same factor; give a file with one adapter");
    place = key;
  }
  return out;
}

}  // namespace

LoraFile load_lora(const std::string& path) {
  const bool folder = fs::is_directory(path);
  LoraFile out{.path = folder ? path + "/adapter_model.safetensors" : path};
  const fs::path named = (fs::path(path) / "").parent_path();
  out.name = folder ? named.filename().string() : named.stem().string();
  const SafetensorsFile file(out.path);
  out.sha256 = sha256_file(out.path);
  const std::string config = path + "/adapter_config.json";
  const PeftScale peft = peft_scale_of(file, folder && fs::exists(config) ? config : "");
  const Reader reader(file, peft);
  for (const auto& [name, parts] : group_keys(file, out.left_out))
    out.modules.push_back(reader.module(name, parts));
  SVDLAB_REQUIRE(!out.modules.empty(), Errc::kInput, out.path, ": no LoRA of a transformer in ",
                 file.entries().size(), " tensors");
  return out;
}

}  // namespace svdlab
