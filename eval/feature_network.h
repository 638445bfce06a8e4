#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/io/png.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// What a network says of one picture.
struct PictureFeatures {
  Tensor values;       ///< float32 [D]
  int64_t label = -1;  ///< class with the largest logit; -1 for networks without a classifier
};

/// A network that turns a picture into features, for distances between sets of pictures. One picture at a
/// time, hence independent of what else is measured. Used by several threads at once.
class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  /// "resnet20-cifar10 64-d": stands beside every number made with it.
  virtual std::string name() const = 0;
  virtual bool takes(int width, int height) const = 0;
  /// Throws kInput for a picture of a size the network does not take.
  virtual PictureFeatures features(const Image& picture) const = 0;
};

/// What a TorchScript network expects in its tensor [1, 3, height, width].
enum class ScriptInput {
  kUnit,   ///< float32, 0 to 1
  kBytes,  ///< uint8, 0 to 255
};

/// Recognises the network: a file .pt is TorchScript (script_network.h); safetensors by its tensors, a CIFAR
/// ResNet (layer1.0.conv1.weight) or squeezenet (features.3.squeeze.weight). Throws kInput naming the file
/// when it is none of them.
std::unique_ptr<FeatureNetwork> load_feature_network(const std::string& path,
                                                     ScriptInput input = ScriptInput::kUnit);

/// [1, 3, height, width] float32 in [0, 1]. Throws kInput when the bytes do not fit the size.
Tensor picture_tensor(const Image& picture);

}  // namespace svdlab
