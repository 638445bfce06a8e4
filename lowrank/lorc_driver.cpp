#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

// LoRC (ZeroQuant-V2, arXiv 2303.08302): quantize first, then fit the branch to the error W - Q.
class LorcDriver final : public Driver {
 public:
  DriverResult drive(const DriverProblem& problem) const override {
    const Tensor w = stacked_weights(problem);
    DriverResult result;
    result.low_bit = quantize_members(problem, w);
    if (problem.rank > 0)
      result.factors =
          round_to_bf16(problem.solver->solve(w - dequantize_members(result.low_bit), problem.rank));
    if (problem.score) result.errors.push_back(problem.score(result.low_bit, result.factors));
    return result;
  }
  bool makes_branch() const override { return true; }
  bool needs_score() const override { return false; }
};

}  // namespace

std::unique_ptr<Driver> make_lorc_driver(Fields&) { return std::make_unique<LorcDriver>(); }

}  // namespace svdlab
