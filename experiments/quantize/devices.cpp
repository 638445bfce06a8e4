#include "experiments/quantize/devices.h"

#include <ATen/Context.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <sstream>

#include "core/base/error.h"
#include "core/runtime/kernel_stream.h"
#include "kernels/cuda_device.h"
#include "lowrank/gpu_stages.h"

namespace svdlab {
namespace {

at::Device parse_gpu(const std::string& name) {
  const std::string digits = name.size() > 5 ? name.substr(5) : "";
  const bool ok = name == "cuda" || (name.rfind("cuda:", 0) == 0 && !digits.empty() && digits.size() <= 2 &&
                                     digits.find_first_not_of("0123456789") == std::string::npos);
  SVDLAB_REQUIRE(ok, Errc::kConfig, "--device: `", name,
                 "` is not cpu, cuda, cuda:0 or a list of GPUs like cuda:0,cuda:1");
  return {at::kCUDA, static_cast<c10::DeviceIndex>(digits.empty() ? 0 : std::stoi(digits))};
}

// Without the driver's part: "NVIDIA H200, sm_90".
std::string kind_of(at::Device device) {
  const c10::DeviceGuard here(device);
  const std::string name = cuda_device_name();
  return name.substr(0, name.find(',', name.find(',') + 1));
}

}  // namespace

std::vector<at::Device> parse_devices(const std::string& text) {
  if (text == "cpu") return {at::kCPU};
  std::vector<at::Device> out;
  std::stringstream list(text);
  for (std::string name; std::getline(list, name, ',');) out.push_back(parse_gpu(name));
  SVDLAB_REQUIRE(!out.empty(), Errc::kConfig, "--device is empty; use cpu or cuda");
  const std::string problem = gpu_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, "--device ", text, ": ", problem, "; use --device cpu");
  const int count = c10::impl::getDeviceGuardImpl(at::kCUDA)->deviceCount();
  for (size_t i = 0; i < out.size(); ++i) {
    SVDLAB_REQUIRE(out[i].index() < count, Errc::kConfig, "--device ", out[i].str(), ": there are ", count,
                   " GPUs");
    SVDLAB_REQUIRE(std::find(out.begin(), out.begin() + i, out[i]) == out.begin() + i, Errc::kConfig,
                   "--device names ", out[i].str(),
                   " twice; use --threads for several units at a time on one GPU");
    SVDLAB_REQUIRE(kind_of(out[i]) == kind_of(out[0]), Errc::kConfig, "--device ", text, ": ",
                   kind_of(out[i]), " beside ", kind_of(out[0]),
                   "; results depend on the kind, use GPUs of one");
  }
  return out;
}

std::string gpu_kind(const std::vector<at::Device>& devices) {
  return devices.front().is_cpu() ? "" : kind_of(devices.front());
}

void prepare_gpus(const QuantizePlan& plan) {
  at::globalContext().setAllowTF32CuBLAS(false);
  for (const CompressionJob& job : plan.jobs) {
    const std::string stage = stage_without_gpu(*job.rule);
    SVDLAB_REQUIRE(stage.empty(), Errc::kConfig, job.rule->where, job.rule->where.empty() ? "" : ": ", stage,
                   " has no form for a GPU; use --device cpu");
  }
}

}  // namespace svdlab
