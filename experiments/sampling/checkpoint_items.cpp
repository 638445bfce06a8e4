#include "experiments/sampling/checkpoint_items.h"

#include <cmath>
#include <set>

#include "core/base/error.h"
#include "core/io/safetensors.h"

namespace svdlab {
namespace {

const std::string kSigmas = "sigmas";

// One of the files: tensors <item>.<part>, each part known.
class ItemFile {
 public:
  ItemFile(const Model& model, const std::string& path, const std::set<std::string>& parts)
      : model_(model), path_(path), file_(path) {
    for (const auto& [key, entry] : file_.entries()) {
      if (key == kSigmas) continue;
      const size_t dot = key.rfind('.');
      const bool known = dot != std::string::npos && parts.count(key.substr(dot + 1)) > 0;
      SVDLAB_REQUIRE(known, Errc::kInput, path, ": tensor \"", key, "\" is not named <item>.", *parts.begin(),
                     parts.size() > 1 ? " or <item>." + *parts.rbegin() : "");
      names_.insert(key.substr(0, dot));
    }
    SVDLAB_REQUIRE(!names_.empty(), Errc::kInput, path, ": no item in it");
  }

  const std::set<std::string>& names() const { return names_; }
  const SafetensorsFile& file() const { return file_; }

  // fp32 with a leading axis of 1; `fact` of the model is its last size.
  Tensor need(const std::string& name, int64_t axes, const char* fact) const {
    SVDLAB_REQUIRE(file_.entries().count(name), Errc::kInput, path_, ": tensor \"", name, "\" is missing");
    const Tensor t = file_.tensor(name).to(at::kFloat);
    const auto last = static_cast<int64_t>(model_.graph.facts.at(fact));
    SVDLAB_REQUIRE(t.dim() == axes && t.size(-1) == last, Errc::kInput, path_, ": \"", name, "\" has shape ",
                   t.sizes(), ", needs ", axes, " axes and a last axis of ", last, " (", fact, ")");
    SVDLAB_REQUIRE(at::isfinite(t).all().item<bool>(), Errc::kInput, path_, ": \"", name,
                   "\" holds values that are not finite");
    return t.unsqueeze(0);
  }

  // A number of the metadata; nothing when it is absent.
  std::optional<double> number(const std::string& key) const {
    const auto found = file_.metadata().find(key);
    if (found == file_.metadata().end()) return {};
    size_t read = 0;
    double value = 0;
    try {
      value = std::stod(found->second, &read);
    } catch (const std::exception&) {
      read = 0;
    }
    SVDLAB_REQUIRE(read > 0 && read == found->second.size() && std::isfinite(value), Errc::kInput, path_,
                   ": metadata ", key, " is \"", found->second, "\", not a number");
    return value;
  }

 private:
  const Model& model_;
  std::string path_;
  SafetensorsFile file_;
  std::set<std::string> names_;
};

std::vector<double> sigmas_in(const ItemFile& latents, const std::string& path) {
  if (!latents.file().entries().count(kSigmas)) return {};
  const Tensor t = latents.file().tensor(kSigmas).to(at::kDouble).contiguous();
  SVDLAB_REQUIRE(t.dim() == 1 && t.numel() >= 2 && at::isfinite(t).all().item<bool>(), Errc::kInput, path,
                 ": sigmas is ", t.sizes(), "; it is [steps + 1], from the noise down to 0");
  std::vector<double> out(t.data_ptr<double>(), t.data_ptr<double>() + t.numel());
  for (size_t i = 1; i < out.size(); ++i)
    SVDLAB_REQUIRE(out[i] < out[i - 1], Errc::kInput, path, ": sigmas do not fall at step ", i, ": ",
                   out[i - 1], ", ", out[i]);
  return out;
}

void set_size(CheckpointItems& out, const ItemFile& latents, const std::string& path) {
  const int64_t tokens = out.items.front().latents.size(1);
  const double side = 2 * std::round(std::sqrt(static_cast<double>(tokens)));
  out.height = static_cast<int64_t>(latents.number("height").value_or(side));
  out.width = static_cast<int64_t>(latents.number("width").value_or(side));
  const bool even = out.height > 0 && out.width > 0 && out.height % 2 == 0 && out.width % 2 == 0;
  for (const SampleItem& item : out.items)
    SVDLAB_REQUIRE(even && item.latents.size(1) == out.height / 2 * (out.width / 2), Errc::kInput, path,
                   ": \"", item.name, ".latents\" has ", item.latents.size(1), " tokens, not those of ",
                   out.height, " x ", out.width, " (metadata height and width)");
}

}  // namespace

CheckpointItems load_checkpoint_items(const Model& model, const std::string& prompts,
                                      const std::string& latents) {
  const ItemFile words(model, prompts, {"pooled", "tokens"}), noise(model, latents, {"latents"});
  CheckpointItems out;
  for (const std::string& name : words.names()) {
    SVDLAB_REQUIRE(noise.names().count(name), Errc::kInput, latents, ": no item \"", name, "\", which ",
                   prompts, " has");
    SampleItem item{.name = name};
    item.latents = noise.need(name + ".latents", 2, "in_channels");
    item.tokens = words.need(name + ".tokens", 2, "joint_attention_dim");
    item.pooled = words.need(name + ".pooled", 1, "pooled_projection_dim");
    out.items.push_back(std::move(item));
  }
  for (const std::string& name : noise.names())
    SVDLAB_REQUIRE(words.names().count(name), Errc::kInput, prompts, ": no item \"", name, "\", which ",
                   latents, " has");
  set_size(out, noise, latents);
  out.sigmas = sigmas_in(noise, latents);
  out.guidance = noise.number("guidance");
  return out;
}

}  // namespace svdlab
