#include "core/models/tensor_source.h"

#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {

Tensor Checkpoint::take(const std::string& name, at::IntArrayRef shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    std::vector<std::string> names;
    for (const auto& entry : tensors_) names.push_back(entry.first);
    throw Error(Errc::kInput, concat("checkpoint has no tensor \"", name, "\" ", shape, "; nearest: \"",
                                     nearest(name, names), "\""));
  }
  SVDLAB_REQUIRE(found->second.sizes() == shape, Errc::kInput, "checkpoint tensor \"", name, "\" has shape ",
                 found->second.sizes(), ", config.json asks for ", shape);
  taken_.insert(name);
  return found->second;
}

void Checkpoint::require_all_taken(const std::string& where) const {
  for (const auto& [name, tensor] : tensors_)
    SVDLAB_REQUIRE(taken_.count(name), Errc::kInput, where, ": tensor \"", name, "\" ", tensor.sizes(),
                   " belongs to nothing in this configuration; check the layer counts in config.json");
}

}  // namespace svdlab
