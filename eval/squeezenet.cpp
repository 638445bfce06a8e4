#include "eval/squeezenet.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

Tensor pooled(const Tensor& x) { return at::max_pool2d(x, 3, 2, 0, 1, /*ceil_mode=*/true); }

}  // namespace

SqueezeNet::SqueezeNet(const std::string& path) : SqueezeNet(NetworkWeights(path, "squeezenet")) {}

SqueezeNet::SqueezeNet(const NetworkWeights& weights) {
  const auto convolution = [&](const std::string& name, int64_t in, int64_t out, int64_t side) {
    const std::string layer = "features." + name;
    return Convolution{weights.take(layer + ".weight", {out, in, side, side}),
                       weights.take(layer + ".bias", {out})};
  };
  struct Size {
    int64_t index, in, squeeze, expand;
  };
  stem_ = convolution("0", 3, 64, 3);
  for (const Size& s :
       {Size{3, 64, 16, 64}, Size{4, 128, 16, 64}, Size{6, 128, 32, 128}, Size{7, 256, 32, 128},
        Size{9, 256, 48, 192}, Size{10, 384, 48, 192}, Size{11, 384, 64, 256}, Size{12, 512, 64, 256}}) {
    const std::string fire = std::to_string(s.index) + ".";
    fires_.push_back({convolution(fire + "squeeze", s.in, s.squeeze, 1),
                      convolution(fire + "expand1x1", s.squeeze, s.expand, 1),
                      convolution(fire + "expand3x3", s.squeeze, s.expand, 3)});
  }
}

Tensor SqueezeNet::apply(const Fire& fire, const Tensor& x) {
  const Tensor narrow = at::conv2d(x, fire.squeeze.weight, fire.squeeze.bias).relu();
  return at::cat({at::conv2d(narrow, fire.expand1.weight, fire.expand1.bias).relu(),
                  at::conv2d(narrow, fire.expand3.weight, fire.expand3.bias, 1, 1).relu()},
                 1);
}

std::vector<Tensor> SqueezeNet::taps(const Tensor& x) const {
  SVDLAB_REQUIRE(x.dim() == 4 && x.size(1) == 3 && x.size(2) >= kLeastSide && x.size(3) >= kLeastSide,
                 Errc::kInput, "a picture of shape ", x.sizes(),
                 "; squeezenet takes [1, 3, height, width] with sides of at least ", kLeastSide);
  const NoGradGuard no_grad;
  const auto fire = [&](size_t i, const Tensor& in) { return apply(fires_[i], in); };
  std::vector<Tensor> out = {at::conv2d(x, stem_.weight, stem_.bias, 2).relu()};
  out.push_back(fire(1, fire(0, pooled(out.back()))));
  out.push_back(fire(3, fire(2, pooled(out.back()))));
  out.push_back(fire(4, pooled(out.back())));
  for (const size_t i : {5, 6, 7}) out.push_back(fire(i, out.back()));
  return out;
}

PictureFeatures SqueezeNet::features(const Image& picture) const {
  const Tensor mean = at::tensor({0.485f, 0.456f, 0.406f}).view({1, 3, 1, 1});
  const Tensor deviation = at::tensor({0.229f, 0.224f, 0.225f}).view({1, 3, 1, 1});
  const Tensor last = taps((picture_tensor(picture) - mean) / deviation).back();
  return {last.mean(at::IntArrayRef{2, 3}).view({last.size(1)})};
}

}  // namespace svdlab
