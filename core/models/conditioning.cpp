#include "core/models/conditioning.h"

#include "core/base/error.h"
#include "core/io/safetensors.h"

namespace svdlab {

Conditioning load_conditioning(const std::string& model_folder) {
  const std::string path = model_folder + "/conditioning.safetensors";
  const SafetensorsFile file(path);
  for (const char* name : {"tokens", "pooled"})
    SVDLAB_REQUIRE(file.entries().count(name), Errc::kInput, path, ": tensor \"", name, "\" is missing");
  Conditioning c{file.tensor("tokens").to(at::kFloat), file.tensor("pooled").to(at::kFloat)};
  SVDLAB_REQUIRE(
      c.tokens.dim() == 3 && c.pooled.dim() == 2 && c.tokens.size(0) == c.pooled.size(0) && c.classes() > 0,
      Errc::kInput, path, ": tokens ", c.tokens.sizes(), " and pooled ", c.pooled.sizes(),
      " must be [classes + 1, T, D] and [classes + 1, P]");
  return c;
}

void save_conditioning(const std::string& model_folder, const Conditioning& conditioning) {
  save_safetensors(
      model_folder + "/conditioning.safetensors",
      {{.name = "tokens", .tensor = conditioning.tokens}, {.name = "pooled", .tensor = conditioning.pooled}});
}

}  // namespace svdlab
