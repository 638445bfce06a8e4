#pragma once
#include <memory>
#include <string>

#include "core/ir/tensor.h"

namespace svdlab {

/// A TorchScript file (torch.jit.save). It is a program: run only files of people you trust. Evaluated
/// without the optimizer that rewrites it after the first calls, so that equal input gives equal output; may
/// be called by several threads.
class ScriptModule {
 public:
  /// Throws kInput with torch's reason when the file is no TorchScript that this torch reads.
  explicit ScriptModule(const std::string& path);

  /// forward(input); with return_features=True when forward has such an argument, as the Inception network
  /// of public FID programs does. The tensor it returns, or the first of a tuple or list. Throws kInput with
  /// torch's reason when the call fails and when there is no tensor.
  Tensor forward(const Tensor& input) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace svdlab
