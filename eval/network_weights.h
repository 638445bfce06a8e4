#pragma once
#include <string>

#include "core/io/safetensors.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// The tensors of a network in a safetensors file that the user names. What the network does not ask for is
/// ignored: such files often hold a classifier or other heads too.
class NetworkWeights {
 public:
  /// Throws kInput when the file is missing or damaged. `network` names the reader in messages.
  NetworkWeights(const std::string& path, const std::string& network);

  bool has(const std::string& name) const { return file_.entries().count(name) > 0; }
  /// Text of the file's metadata; "" when there is none.
  std::string metadata(const std::string& key) const;

  /// Contiguous float32 copy. Throws kInput naming file and tensor when it is missing (with the nearest
  /// name), has another shape, is of an integer type or holds a value that is not finite.
  Tensor take(const std::string& name, at::IntArrayRef shape) const;

 private:
  SafetensorsFile file_;
  std::string path_, network_;
};

}  // namespace svdlab
