#include "experiments/study/backend.h"

#include "core/base/error.h"
#include "core/runtime/fused_executor.h"
#include "core/runtime/kernel_stream.h"
#include "kernels/cuda_device.h"

namespace svdlab {
namespace {

constexpr const char* kFusedCpu = "fused-cpu";
constexpr const char* kCuda = "cuda";

}  // namespace

const std::vector<std::string>& backend_names() {
  static const std::vector<std::string> names = {kReferenceBackend, kFusedCpu, kCuda};
  return names;
}

std::string backend_summary(const std::string& name) {
  if (name == kReferenceBackend) return "one op after the other, on the CPU";
  if (name == kFusedCpu) return "the plan of the fused kernels on their CPU side; slow";
  return "fused kernels on a GPU" + (gpu_problem().empty() ? "" : "; not here: " + gpu_problem());
}

void require_backend(const std::string& name) {
  if (name != kCuda) return;
  const std::string problem = gpu_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, problem);
}

Backend make_backend(const std::string& name, const Graph& graph, const CompressedModel& model, int threads) {
  require_backend(name);
  if (name == kReferenceBackend)
    return {std::make_unique<Executor>(graph, Executor::Options{.compressed = &model}), nullptr, "cpu"};
  const bool gpu = name == kCuda;
  auto fused = std::make_unique<FusedExecutor>(
      graph, model,
      FusedExecutor::Options{.device = gpu ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU),
                             .threads = threads});
  const FusedExecutor* view = fused.get();
  return {std::move(fused), view, gpu ? cuda_device_name() : "cpu"};
}

}  // namespace svdlab
