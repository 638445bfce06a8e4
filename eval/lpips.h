#pragma once
#include <string>
#include <vector>

#include "eval/squeezenet.h"

namespace svdlab {

/// How a layer's channels are brought to length one.
enum class LpipsNormalise {
  kLpipsPackage,  ///< x / (sqrt(sum x^2) + 1e-10): the lpips package, and what its numbers mean
  kTorchmetrics,  ///< x / sqrt(sum x^2 + 1e-8)
};

/// LPIPS (Zhang et al. 2018) version 0.1 over SqueezeNet 1.1: squared differences of normalised layers,
/// weighted by the learned heads, mean over pixels, sum over the seven layers. Papers mostly print the one
/// over AlexNet: another number. The network runs in float32, the rest in double.
class LpipsSqueeze {
 public:
  /// @param path safetensors with SqueezeNet's `features.*` and `v0.1.lin0.model.1.weight` to `lin6` (or
  /// `lin0.model.1.weight` ...), each [1, channels, 1, 1]; kInput as NetworkWeights
  explicit LpipsSqueeze(const std::string& path, LpipsNormalise normalise = LpipsNormalise::kLpipsPackage);

  std::string name() const;
  /// Distance of two pictures of equal size; 0 when equal. kInput on unequal sizes and on sides below
  /// SqueezeNet::kLeastSide.
  double distance(const Image& reference, const Image& candidate) const;
  /// The same for float32 [1, 3, height, width] in [-1, 1].
  double distance(const Tensor& reference, const Tensor& candidate) const;

 private:
  Tensor normalised(const Tensor& layer) const;

  SqueezeNet trunk_;
  std::vector<Tensor> heads_;  ///< double [1, channels, 1, 1]
  LpipsNormalise normalise_;
};

}  // namespace svdlab
