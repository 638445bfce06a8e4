#include "eval/cifar_resnet.h"

#include "core/base/error.h"

namespace svdlab {

CifarResNet::CifarResNet(const std::string& path) {
  const NetworkWeights weights(path, "a CIFAR ResNet");
  int64_t depth = 0;  // blocks a stage
  while (weights.has("layer1." + std::to_string(depth) + ".conv1.weight")) ++depth;
  const std::string own = weights.metadata("name"), version = weights.metadata("version");
  name_ = concat(own.empty() ? concat("resnet", 6 * depth + 2, "-cifar10") : own,
                 version.empty() ? "" : " " + version, " 64-d");
  // `a` and `b`: names of the convolution and of its batch norm.
  const auto convolution = [&](const std::string& a, const std::string& b, int64_t in, int64_t out) {
    const auto statistic = [&](const char* name) { return weights.take(b + name, {out}).to(at::kDouble); };
    const Tensor scale = statistic(".weight") / (statistic(".running_var") + 1e-5).sqrt();
    const Tensor shift = statistic(".bias") - statistic(".running_mean") * scale;
    const auto per_channel = [&](const Tensor& t) { return t.to(at::kFloat).view({1, out, 1, 1}); };
    return Convolution{weights.take(a + ".weight", {out, in, 3, 3}), per_channel(scale), per_channel(shift)};
  };
  stem_ = convolution("conv1", "bn1", 3, 16);
  for (int64_t stage = 1, in = 16, out = 16; stage <= 3; ++stage, out *= 2)
    for (int64_t index = 0; index < depth; ++index, in = out) {
      const std::string block = "layer" + std::to_string(stage) + "." + std::to_string(index) + ".";
      blocks_.push_back({convolution(block + "conv1", block + "bn1", in, out),
                         convolution(block + "conv2", block + "bn2", out, out), in == out ? 1 : 2});
    }
  weight_ = weights.take("linear.weight", {10, 64});
  bias_ = weights.take("linear.bias", {10});
}

Tensor CifarResNet::apply(const Convolution& convolution, const Tensor& x, int64_t stride) {
  return at::conv2d(x, convolution.weight, {}, stride, 1) * convolution.scale + convolution.shift;
}

Tensor CifarResNet::apply(const Block& block, const Tensor& x) {
  const Tensor y = apply(block.second, apply(block.first, x, block.stride).relu(), 1);
  if (block.stride == 1) return (x + y).relu();
  const Tensor halved = x.slice(2, 0, c10::nullopt, 2).slice(3, 0, c10::nullopt, 2);
  const int64_t missing = y.size(1) - x.size(1);
  return (at::constant_pad_nd(halved, {0, 0, 0, 0, missing / 2, missing / 2}) + y).relu();
}

PictureFeatures CifarResNet::features(const Image& picture) const {
  SVDLAB_REQUIRE(takes(picture.width, picture.height), Errc::kInput, "a picture of ", picture.width, " x ",
                 picture.height, "; ", name_, " takes 32 x 32");
  const NoGradGuard no_grad;
  const Tensor mean = at::tensor({0.485f, 0.456f, 0.406f}).view({1, 3, 1, 1});
  const Tensor deviation = at::tensor({0.229f, 0.224f, 0.225f}).view({1, 3, 1, 1});
  Tensor x = apply(stem_, (picture_tensor(picture) - mean) / deviation, 1).relu();
  for (const Block& block : blocks_) x = apply(block, x);
  const Tensor pooled = x.mean(at::IntArrayRef{2, 3}).view({64});
  return {pooled, logits(pooled).argmax().item<int64_t>()};
}

Tensor CifarResNet::logits(const Tensor& features) const { return at::mv(weight_, features) + bias_; }

}  // namespace svdlab
