#pragma once
#include <string>
#include <vector>

#include "core/ir/tensor.h"
#include "experiments/quantize/quantize_plan.h"

namespace svdlab {

/// `cpu`, `cuda` (the first GPU), `cuda:1`, or several GPUs: `cuda:0,cuda:1`. Throws kConfig for anything
/// else, for a GPU that is not there or cannot be used, for one that is named twice, and for GPUs of
/// different kinds.
std::vector<at::Device> parse_devices(const std::string& text);

/// "" for the CPU; for GPUs their kind, which is part of what results depend on: "NVIDIA H200, sm_90".
std::string gpu_kind(const std::vector<at::Device>& devices);

/// Products in full fp32 (no TF32). Throws kConfig with the first stage of the plan that has no form for a
/// GPU.
void prepare_gpus(const QuantizePlan& plan);

}  // namespace svdlab
