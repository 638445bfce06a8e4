#include "eval/script_network.h"

#include "core/base/error.h"

namespace svdlab {

ScriptNetwork::ScriptNetwork(const std::string& path, ScriptInput input)
    : name_("TorchScript " + path.substr(path.rfind('/') + 1)), module_(path), input_(input) {}

PictureFeatures ScriptNetwork::features(const Image& picture) const {
  Tensor x = picture_tensor(picture);
  if (input_ == ScriptInput::kBytes) x = (x * 255).round().to(at::kByte);
  const Tensor out = module_.forward(x);
  const bool ok = out.dim() >= 2 && out.size(0) == 1 && out.numel() == out.size(1) && out.numel() > 0;
  SVDLAB_REQUIRE(ok && out.is_floating_point(), Errc::kInput, name_, ": forward returns ", out.sizes(),
                 " of ", out.scalar_type(), " for one picture; features are floating [1, D]");
  return {out.to(at::kFloat).reshape({-1})};
}

}  // namespace svdlab
