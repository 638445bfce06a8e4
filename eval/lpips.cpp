#include "eval/lpips.h"

#include <memory>

#include "core/base/error.h"
#include "eval/alexnet.h"
#include "eval/feature_network.h"
#include "eval/squeezenet.h"

namespace svdlab {
namespace {

// The layers of a network as a function that owns it.
template <class Network>
std::function<std::vector<Tensor>(const Tensor&)> taps_of(const NetworkWeights& weights) {
  const auto network = std::make_shared<const Network>(weights);
  return [network](const Tensor& x) { return network->taps(x); };
}

}  // namespace

Lpips::Lpips(const std::string& path, LpipsNormalise normalise) : normalise_(normalise) {
  const NetworkWeights weights(path, "LPIPS");
  const auto open = [&]<class Network>(const char* name, const Network*) {
    network_ = name, taps_ = taps_of<Network>(weights), least_side_ = Network::kLeastSide;
    const bool plain = weights.has("lin0.model.1.weight");
    for (size_t i = 0; i < Network::kTapChannels.size(); ++i) {
      const std::string head = "lin" + std::to_string(i) + ".model.1.weight";
      heads_.push_back(
          weights.take(plain ? head : "v0.1." + head, {1, Network::kTapChannels[i], 1, 1}).to(at::kDouble));
    }
  };
  const bool squeeze = weights.has("features.3.squeeze.weight");
  SVDLAB_REQUIRE(squeeze || weights.has("features.10.weight"), Errc::kInput, path,
                 ": neither of the networks of LPIPS; alexnet has a tensor features.10.weight, squeezenet "
                 "features.3.squeeze.weight (experiments/export_lpips.py makes the file)");
  squeeze ? open("squeeze", static_cast<SqueezeNet*>(nullptr)) : open("alex", static_cast<AlexNet*>(nullptr));
}

std::string Lpips::name() const {
  return (normalise_ == LpipsNormalise::kLpipsPackage ? "lpips 0.1 " : "torchmetrics lpips ") + network_;
}

Tensor Lpips::normalised(const Tensor& layer) const {
  const Tensor x = layer.to(at::kDouble), square = x.square().sum(1, /*keepdim=*/true);
  return normalise_ == LpipsNormalise::kLpipsPackage ? x / (square.sqrt() + 1e-10)
                                                     : x / (square + 1e-8).sqrt();
}

double Lpips::distance(const Image& reference, const Image& candidate) const {
  return distance(picture_tensor(reference) * 2 - 1, picture_tensor(candidate) * 2 - 1);
}

double Lpips::distance(const Tensor& reference, const Tensor& candidate) const {
  SVDLAB_REQUIRE(reference.sizes() == candidate.sizes(), Errc::kInput, "pictures of shape ",
                 reference.sizes(), " and ", candidate.sizes(), " cannot be compared");
  const Tensor shift = at::tensor({-0.030f, -0.088f, -0.188f}).view({1, 3, 1, 1});
  const Tensor scale = at::tensor({0.458f, 0.448f, 0.450f}).view({1, 3, 1, 1});
  const std::vector<Tensor> x = taps_((reference - shift) / scale);
  const std::vector<Tensor> y = taps_((candidate - shift) / scale);
  double sum = 0;
  for (size_t i = 0; i < heads_.size(); ++i) {
    const Tensor difference = (normalised(x[i]) - normalised(y[i])).square();
    sum += (difference * heads_[i]).sum(1).mean().item<double>();
  }
  return sum;
}

}  // namespace svdlab
