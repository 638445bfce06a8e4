#include "eval/feature_network.h"

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "eval/cifar_resnet.h"
#include "eval/script_network.h"
#include "eval/squeezenet.h"

namespace svdlab {

std::unique_ptr<FeatureNetwork> load_feature_network(const std::string& path, ScriptInput input) {
  if (path.ends_with(".pt")) return std::make_unique<ScriptNetwork>(path, input);
  const SafetensorsFile file(path);
  const auto has = [&](const char* name) { return file.entries().count(name) > 0; };
  if (has("layer1.0.conv1.weight")) return std::make_unique<CifarResNet>(path);
  if (has("features.3.squeeze.weight")) return std::make_unique<SqueezeNet>(path);
  throw Error(Errc::kInput, concat(path,
                                   ": no feature network known here; a CIFAR ResNet has a tensor "
                                   "layer1.0.conv1.weight, squeezenet features.3.squeeze.weight, and "
                                   "TorchScript is a file .pt"));
}

Tensor picture_tensor(const Image& picture) {
  const int64_t width = picture.width, height = picture.height;
  SVDLAB_REQUIRE(width > 0 && height > 0 && picture.rgb.size() == static_cast<size_t>(3 * width * height),
                 Errc::kInput, "a picture of ", width, " x ", height, " with ", picture.rgb.size(), " bytes");
  const Tensor bytes = at::from_blob(const_cast<uint8_t*>(picture.rgb.data()), {height, width, 3}, at::kByte);
  return (bytes.permute({2, 0, 1}).to(at::kFloat) / 255).unsqueeze(0).contiguous();
}

}  // namespace svdlab
