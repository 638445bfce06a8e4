#pragma once
#include <array>
#include <vector>

#include "eval/network_weights.h"

namespace svdlab {

/// The convolutions of AlexNet (Krizhevsky 2014, one tower) with torchvision's tensor names
/// (features.0.weight, 3, 6, 8, 10). float32.
class AlexNet {
 public:
  static constexpr std::array<int64_t, 5> kTapChannels = {64, 192, 384, 256, 256};
  static constexpr int kLeastSide = 31;  ///< smaller pictures vanish in the second pooling

  /// Throws kInput as NetworkWeights does.
  explicit AlexNet(const NetworkWeights& weights);

  /// The five layers LPIPS reads, each [1, kTapChannels[i], h, w].
  /// @param x  [1, 3, height, width], normalised by mean and deviation; kInput for sides below kLeastSide
  std::vector<Tensor> taps(const Tensor& x) const;

 private:
  struct Convolution {
    Tensor weight, bias;
    int64_t stride, padding;
  };
  std::vector<Convolution> layers_;
};

}  // namespace svdlab
