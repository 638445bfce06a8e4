#include "eval/alexnet.h"

#include "core/base/error.h"

namespace svdlab {

AlexNet::AlexNet(const NetworkWeights& weights) {
  struct Size {
    int64_t index, side, stride, padding;
  };
  int64_t in = 3;
  for (const Size& s : {Size{0, 11, 4, 2}, {3, 5, 1, 2}, {6, 3, 1, 1}, {8, 3, 1, 1}, {10, 3, 1, 1}}) {
    const std::string layer = "features." + std::to_string(s.index);
    const int64_t out = kTapChannels.at(layers_.size());
    layers_.push_back({weights.take(layer + ".weight", {out, in, s.side, s.side}),
                       weights.take(layer + ".bias", {out}), s.stride, s.padding});
    in = out;
  }
}

std::vector<Tensor> AlexNet::taps(const Tensor& x) const {
  SVDLAB_REQUIRE(x.dim() == 4 && x.size(1) == 3 && x.size(2) >= kLeastSide && x.size(3) >= kLeastSide,
                 Errc::kInput, "a picture of shape ", x.sizes(),
                 "; alexnet takes [1, 3, height, width] with sides of at least ", kLeastSide);
  const NoGradGuard no_grad;
  std::vector<Tensor> out;
  Tensor in = x;
  for (const Convolution& layer : layers_) {
    out.push_back(at::conv2d(in, layer.weight, layer.bias, layer.stride, layer.padding).relu());
    in = out.size() <= 2 ? at::max_pool2d(out.back(), 3, 2) : out.back();
  }
  return out;
}

}  // namespace svdlab
