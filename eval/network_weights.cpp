#include "eval/network_weights.h"

#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {

NetworkWeights::NetworkWeights(const std::string& path, const std::string& network)
    : file_(path), path_(path), network_(network) {}

std::string NetworkWeights::metadata(const std::string& key) const {
  const auto found = file_.metadata().find(key);
  return found == file_.metadata().end() ? "" : found->second;
}

Tensor NetworkWeights::take(const std::string& name, at::IntArrayRef shape) const {
  if (!has(name)) {
    std::vector<std::string> names;
    for (const auto& [known, entry] : file_.entries()) names.push_back(known);
    throw Error(Errc::kInput, concat(path_, ": no tensor ", name, ", which ", network_,
                                     " needs; nearest: ", names.empty() ? "none" : nearest(name, names)));
  }
  const Tensor stored = file_.tensor(name);
  SVDLAB_REQUIRE(stored.sizes() == shape, Errc::kInput, path_, ": ", name, " is ", stored.sizes(), "; ",
                 network_, " needs ", shape);
  SVDLAB_REQUIRE(stored.is_floating_point(), Errc::kInput, path_, ": ", name, " is of type ",
                 to_string(file_.entries().at(name).dtype), "; ", network_, " needs F16, BF16, F32 or F64");
  const Tensor out = stored.to(at::kFloat).clone(at::MemoryFormat::Contiguous);
  SVDLAB_REQUIRE(at::isfinite(out).all().item<bool>(), Errc::kInput, path_, ": ", name,
                 " holds values that are not finite");
  return out;
}

}  // namespace svdlab
