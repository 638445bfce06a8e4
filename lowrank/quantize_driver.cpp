#include "core/base/error.h"
#include "lowrank/driver_steps.h"

namespace svdlab {
namespace {

class QuantizeDriver final : public Driver {
 public:
  DriverResult drive(const DriverProblem& problem) const override {
    SVDLAB_REQUIRE(problem.rank == 0, Errc::kUnexpected, "driver quantize was given rank ", problem.rank);
    DriverResult result;
    result.low_bit = quantize_members(problem, stacked_weights(problem));
    if (problem.score) result.errors.push_back(problem.score(result.low_bit, result.factors));
    return result;
  }
  bool makes_branch() const override { return false; }
  bool needs_score() const override { return false; }
};

}  // namespace

std::unique_ptr<Driver> make_quantize_driver(Fields&) { return std::make_unique<QuantizeDriver>(); }

}  // namespace svdlab
