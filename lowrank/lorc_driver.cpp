#include "core/base/error.h"
#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

// LoRC (ZeroQuant-V2, arXiv 2303.08302): quantize first, then fit the branch to the error W - Q. `refit`:
// then `up` to the output, given `down`.
class LorcDriver final : public Driver {
 public:
  explicit LorcDriver(bool refit) : refit_(refit) {}

  DriverResult drive(const DriverProblem& problem) const override {
    const Tensor w = stacked_weights(problem);
    DriverResult result;
    result.low_bit = quantize_members(problem, w);
    if (problem.rank > 0) {
      const Tensor quantized = dequantize_members(result.low_bit);
      LowRankFactors& factors = result.factors;
      factors = round_to_bf16(problem.solver->solve(w - quantized, problem.rank, problem.start));
      if (refit_) {
        SVDLAB_REQUIRE(problem.moments, Errc::kUnexpected, "driver lorc: refit without moments of the input");
        factors.up = refitted_up(w, quantized, factors, problem.moments(factors.down));
      }
    }
    if (problem.score) result.errors.push_back(problem.score(result.low_bit, result.factors));
    return result;
  }
  bool makes_branch() const override { return true; }
  bool needs_score() const override { return refit_; }

 private:
  bool refit_;
};

}  // namespace

std::unique_ptr<Driver> make_lorc_driver(Fields& options) {
  return std::make_unique<LorcDriver>(options.boolean("refit", false));
}

}  // namespace svdlab
