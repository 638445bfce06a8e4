// The ways to run a step: one line each.
#include "experiments/bench/step_bench.h"

namespace svdlab {

std::unique_ptr<StepModel> make_bf16_step(const StepShape&, at::Device);
std::unique_ptr<StepModel> make_float8_step(const StepShape&, at::Device);
std::unique_ptr<StepModel> make_int4_step(const StepShape&, at::Device);
std::unique_ptr<StepModel> make_int8_step(const StepShape&, at::Device);
std::unique_ptr<StepModel> make_nvfp4_step(const StepShape&, at::Device);

const Registry<StepModelFactory>& step_models() {
  static const Registry<StepModelFactory> registry(
      "model of bench step",
      {
          {"bf16", "the executor on the 16-bit graph", make_bf16_step},
          {"fp8", "block linears by torch's _scaled_mm, scales per tensor", make_float8_step},
          {"int4", "W4A4 int4 through the fused kernels, rank 32, adaLN in W4A16", make_int4_step},
          {"nvfp4", "the same with nvfp4", make_nvfp4_step},
          {"w8a8", "the same with int8, a scale for each row and token", make_int8_step},
      });
  return registry;
}

}  // namespace svdlab
