#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

/// All trainable tensors of a model as one flat buffer: the optimizer, the gradient exchange and the averaged
/// weights are then single vector operations.
class FlatParameters {
 public:
  /// Starts from fp32 values in a fixed order of names.
  FlatParameters(const std::vector<std::pair<std::string, Tensor>>& initial, at::Device device);

  Tensor& flat() { return flat_; }  ///< [count] fp32
  int64_t count() const { return flat_.numel(); }
  /// The leaf that views its part of flat(); requires grad.
  const Tensor& leaf(const std::string& name) const { return leaves_.at(index_.at(name)); }
  /// Gradients of all leaves as one [count] vector (zeros where a leaf got none); the leaves' gradients are
  /// dropped.
  Tensor take_gradient();
  /// The tensors of another flat vector of the same layout, by name (views).
  std::vector<std::pair<std::string, Tensor>> unflatten(const Tensor& flat) const;

 private:
  Tensor flat_;
  std::vector<std::string> names_;
  std::vector<Tensor> leaves_;
  std::map<std::string, size_t> index_;
};

}  // namespace svdlab
