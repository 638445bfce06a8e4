#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "eval/feature_network.h"
#include "eval/network_weights.h"

namespace svdlab {

/// The convolutional trunk of SqueezeNet 1.1 (Iandola et al. 2016) with torchvision's tensor names
/// (features.0.weight, features.3.squeeze.weight ...). float32.
class SqueezeNet : public FeatureNetwork {
 public:
  static constexpr std::array<int64_t, 7> kTapChannels = {64, 128, 256, 384, 384, 512, 512};
  static constexpr int kLeastSide = 17;  ///< smaller pictures vanish in the third pooling

  /// Throws kInput as NetworkWeights does.
  explicit SqueezeNet(const std::string& path);
  explicit SqueezeNet(const NetworkWeights& weights);

  std::string name() const override { return "squeezenet1.1 512-d"; }
  bool takes(int width, int height) const override { return std::min(width, height) >= kLeastSide; }
  /// Mean over the pixels of the last layer [512], of a picture normalised by the ImageNet mean and
  /// deviation. No classifier. Sides of at least kLeastSide.
  PictureFeatures features(const Image& picture) const override;

  /// The seven layers LPIPS reads, each [1, kTapChannels[i], h, w].
  /// @param x  [1, 3, height, width], normalised by mean and deviation
  std::vector<Tensor> taps(const Tensor& x) const;

 private:
  struct Convolution {
    Tensor weight, bias;
  };
  struct Fire {
    Convolution squeeze, expand1, expand3;
  };
  static Tensor apply(const Fire& fire, const Tensor& x);

  Convolution stem_;
  std::vector<Fire> fires_;  ///< features 3, 4, 6, 7, 9, 10, 11, 12
};

}  // namespace svdlab
