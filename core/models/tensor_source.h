#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>

#include "core/ir/tensor.h"

namespace svdlab {

/// Where a model's weights come from: called once per tensor with its checkpoint name and the shape it must
/// have.
using TensorSource = std::function<Tensor(const std::string& name, at::IntArrayRef shape)>;

/// Hands out the tensors of a checkpoint; a missing or mis-shaped one is kInput with the nearest name or both
/// shapes.
class Checkpoint {
 public:
  explicit Checkpoint(std::map<std::string, Tensor> tensors) : tensors_(std::move(tensors)) {}
  Tensor take(const std::string& name, at::IntArrayRef shape);
  /// Throws kInput naming the first tensor nobody took.
  void require_all_taken(const std::string& where) const;

 private:
  std::map<std::string, Tensor> tensors_;
  std::set<std::string> taken_;
};

}  // namespace svdlab
