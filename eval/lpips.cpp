#include "eval/lpips.h"

#include "core/base/error.h"

namespace svdlab {

LpipsSqueeze::LpipsSqueeze(const std::string& path, LpipsNormalise normalise)
    : trunk_(NetworkWeights(path, "LPIPS")), normalise_(normalise) {
  const NetworkWeights weights(path, "LPIPS");
  const bool plain = SafetensorsFile(path).entries().count("lin0.model.1.weight") > 0;
  for (size_t i = 0; i < SqueezeNet::kTapChannels.size(); ++i) {
    const std::string head = "lin" + std::to_string(i) + ".model.1.weight";
    heads_.push_back(
        weights.take(plain ? head : "v0.1." + head, {1, SqueezeNet::kTapChannels[i], 1, 1}).to(at::kDouble));
  }
}

std::string LpipsSqueeze::name() const {
  return normalise_ == LpipsNormalise::kLpipsPackage ? "lpips 0.1 squeeze" : "torchmetrics lpips squeeze";
}

Tensor LpipsSqueeze::normalised(const Tensor& layer) const {
  const Tensor x = layer.to(at::kDouble), square = x.square().sum(1, /*keepdim=*/true);
  return normalise_ == LpipsNormalise::kLpipsPackage ? x / (square.sqrt() + 1e-10)
                                                     : x / (square + 1e-8).sqrt();
}

double LpipsSqueeze::distance(const Image& reference, const Image& candidate) const {
  return distance(picture_tensor(reference) * 2 - 1, picture_tensor(candidate) * 2 - 1);
}

double LpipsSqueeze::distance(const Tensor& reference, const Tensor& candidate) const {
  SVDLAB_REQUIRE(reference.sizes() == candidate.sizes(), Errc::kInput, "pictures of shape ",
                 reference.sizes(), " and ", candidate.sizes(), " cannot be compared");
  const Tensor shift = at::tensor({-0.030f, -0.088f, -0.188f}).view({1, 3, 1, 1});
  const Tensor scale = at::tensor({0.458f, 0.448f, 0.450f}).view({1, 3, 1, 1});
  const std::vector<Tensor> x = trunk_.taps((reference - shift) / scale);
  const std::vector<Tensor> y = trunk_.taps((candidate - shift) / scale);
  double sum = 0;
  for (size_t i = 0; i < heads_.size(); ++i) {
    const Tensor difference = (normalised(x[i]) - normalised(y[i])).square();
    sum += (difference * heads_[i]).sum(1).mean().item<double>();
  }
  return sum;
}

}  // namespace svdlab
