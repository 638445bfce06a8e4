#include "core/runtime/script_module.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include "core/base/error.h"

namespace svdlab {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

Tensor tensor_in(const c10::IValue& value, const std::string& path) {
  if (value.isTensor()) return value.toTensor();
  if (value.isTuple() && !value.toTupleRef().elements().empty())
    return tensor_in(value.toTupleRef().elements()[0], path);
  if (value.isTensorList() && value.toTensorVector().size() > 0) return value.toTensorVector().front();
  throw Error(Errc::kInput, concat(path, ": forward returns ", value.tagKind(), ", not a tensor"));
}

}  // namespace

struct ScriptModule::State {
  std::string path;
  torch::jit::Module module;
  bool returns_features = false;
};

ScriptModule::ScriptModule(const std::string& path) : state_(std::make_shared<State>()) {
  state_->path = path;
  try {
    state_->module = torch::jit::load(path, at::kCPU);
    state_->module.eval();
    const auto& arguments = state_->module.get_method("forward").function().getSchema().arguments();
    for (const auto& a : arguments) state_->returns_features |= a.name() == "return_features";
  } catch (const std::exception& e) {
    throw Error(Errc::kInput, concat(path, ": no TorchScript (torch.jit.save): ", first_line(e.what())));
  }
}

Tensor ScriptModule::forward(const Tensor& input) const {
  const NoGradGuard no_grad;
  const torch::jit::GraphOptimizerEnabledGuard as_written(false);
  torch::jit::Kwargs more;
  if (state_->returns_features) more["return_features"] = true;
  c10::IValue out;
  try {
    out = state_->module.get_method("forward")({input}, more);
  } catch (const std::exception& e) {
    throw Error(Errc::kInput, concat(state_->path, ": forward of a tensor ", input.sizes(), " of ",
                                     input.scalar_type(), " failed: ", first_line(e.what())));
  }
  return tensor_in(out, state_->path);
}

}  // namespace svdlab
