#pragma once
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
/// time, hence independent of what else is measured.
class FeatureNetwork {
 public:
  virtual ~FeatureNetwork() = default;
  /// "resnet20-cifar10 64-d": stands beside every number made with it.
  virtual std::string name() const = 0;
  /// Throws kInput for a picture of a size the network does not take.
  virtual PictureFeatures features(const Image& picture) const = 0;
};

/// Recognises the network by its tensors: resnet20 (layer1.0.conv1.weight) or squeezenet
/// (features.3.squeeze.weight). Throws kInput naming the file when it is neither.
std::unique_ptr<FeatureNetwork> load_feature_network(const std::string& path);

/// [1, 3, height, width] float32 in [0, 1]. Throws kInput when the bytes do not fit the size.
Tensor picture_tensor(const Image& picture);

}  // namespace svdlab
