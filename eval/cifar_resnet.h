#pragma once
#include <string>
#include <vector>

#include "eval/feature_network.h"
#include "eval/network_weights.h"

namespace svdlab {

/// A ResNet for CIFAR-10 (He et al. 2016, section 4.2) with 6 m + 2 layers, m counted from the file, and the
/// tensor names of torchvision-like checkpoints (conv1, layer1.0.conv1, bn1.running_mean, linear):
/// parameter-free shortcuts that take every second pixel and pad the channels with zeros, batch norm with
/// stored statistics (eps 1e-5), features after global average pooling [64]. Pictures are normalised by the
/// ImageNet mean and deviation. float32.
class CifarResNet : public FeatureNetwork {
 public:
  /// Throws kInput as NetworkWeights does.
  explicit CifarResNet(const std::string& path);

  /// The file's own name and version (metadata `name`, `version`), else "resnet20-cifar10"; and "64-d".
  std::string name() const override { return name_; }
  bool takes(int width, int height) const override { return width == kSide && height == kSide; }
  /// 32 x 32 pictures only.
  PictureFeatures features(const Image& picture) const override;
  /// Scores of the ten classes from features [64]: [10].
  Tensor logits(const Tensor& features) const;

 private:
  static constexpr int kSide = 32;
  struct Convolution {
    Tensor weight, scale, shift;  ///< batch norm as one multiplication and one addition per channel
  };
  struct Block {
    Convolution first, second;
    int64_t stride;
  };
  static Tensor apply(const Convolution& convolution, const Tensor& x, int64_t stride);
  static Tensor apply(const Block& block, const Tensor& x);

  std::string name_;
  Convolution stem_;
  std::vector<Block> blocks_;
  Tensor weight_, bias_;
};

}  // namespace svdlab
