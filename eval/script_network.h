#pragma once
#include <string>

#include "core/runtime/script_module.h"
#include "eval/feature_network.h"

namespace svdlab {

/// Any TorchScript file as a feature network: forward takes one picture [1, 3, height, width] and returns
/// [1, D], or that with trailing axes of size 1. No classes.
class ScriptNetwork : public FeatureNetwork {
 public:
  /// Throws kInput as ScriptModule does.
  ScriptNetwork(const std::string& path, ScriptInput input);

  /// "TorchScript <file name>", without D: only the first picture tells it.
  std::string name() const override { return name_; }
  bool takes(int, int) const override { return true; }
  /// kInput when forward fails or returns another shape.
  PictureFeatures features(const Image& picture) const override;

 private:
  std::string name_;
  ScriptModule module_;
  ScriptInput input_;
};

}  // namespace svdlab
