#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/io/png.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// How a layer's channels are brought to length one.
enum class LpipsNormalise {
  kLpipsPackage,  ///< x / (sqrt(sum x^2) + 1e-10): the lpips package, and what its numbers mean
  kTorchmetrics,  ///< x / sqrt(sum x^2 + 1e-8)
};

/// LPIPS (Zhang et al. 2018) version 0.1 over AlexNet, which papers mostly print, or over SqueezeNet 1.1,
/// which gives other numbers: squared differences of normalised layers, weighted by the learned heads, mean
/// over pixels, sum over the layers. The network runs in float32, the rest in double.
class Lpips {
 public:
  /// @param path safetensors with torchvision's `features.*` of either network and the heads
  /// `v0.1.lin0.model.1.weight` ... (or `lin0.model.1.weight` ...), each [1, channels, 1, 1], as
  /// experiments/export_lpips.py writes it; kInput as NetworkWeights, and when it is neither network
  explicit Lpips(const std::string& path, LpipsNormalise normalise = LpipsNormalise::kLpipsPackage);

  /// "lpips 0.1 alex", "torchmetrics lpips squeeze".
  std::string name() const;
  bool takes(int width, int height) const { return std::min(width, height) >= least_side_; }
  /// Distance of two pictures of equal size; 0 when equal. kInput on unequal sizes and on sides the network
  /// does not take.
  double distance(const Image& reference, const Image& candidate) const;
  /// The same for float32 [1, 3, height, width] in [-1, 1].
  double distance(const Tensor& reference, const Tensor& candidate) const;

 private:
  Tensor normalised(const Tensor& layer) const;

  std::string network_;
  int least_side_ = 0;
  std::function<std::vector<Tensor>(const Tensor&)> taps_;
  std::vector<Tensor> heads_;  ///< double [1, channels, 1, 1]
  LpipsNormalise normalise_;
};

}  // namespace svdlab
