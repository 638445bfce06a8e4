#include <cmath>

#include "core/base/error.h"
#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

// LQ-LoRA (arXiv 2311.12023): Q_t = quantize(W - L_{t-1}), L_t = SVD_r(W - Q_t), from L = 0 until the error
// of Q_t + L_t grows; the best round is kept (the authors' code keeps the last). A round ends with the
// branch, where the iterated svdquant driver ends with the residual: with one round this is lorc, that is
// svdquant. `judge: norm` compares rounds by what the branch minimises, as in the paper; `output` by the
// layer's output error where there are statistics to tell it. Rounding makes either jitter: a round that is
// no better ends it.
class AlternateDriver final : public Driver {
 public:
  AlternateDriver(int64_t iterations, bool by_output) : iterations_(iterations), by_output_(by_output) {}

  DriverResult drive(const DriverProblem& problem) const override {
    const Tensor w = stacked_weights(problem);
    const int64_t rounds = problem.rank == 0 ? 1 : std::min(iterations_, problem.max_rounds);
    DriverResult best = round(problem, w, {}, problem.start);
    if (problem.score) best.errors.push_back(problem.score(best.low_bit, best.factors));
    if (rounds == 1) return best;
    double least = error(problem, w, best, best.errors);
    SVDLAB_REQUIRE(std::isfinite(least), Errc::kInput, "driver alternate: the error of the first round is ",
                   least, "; check the weights and the calibration inputs");
    for (int64_t t = 1; t < rounds; ++t) {
      DriverResult next = round(problem, w, best.factors, best.factors.basis);
      if (problem.score) best.errors.push_back(problem.score(next.low_bit, next.factors));
      const double now = error(problem, w, next, best.errors);
      if (!(now < least)) break;
      least = now;
      best.low_bit = std::move(next.low_bit);
      best.factors = std::move(next.factors);
      best.best_round = static_cast<int>(t);
    }
    return best;
  }
  bool makes_branch() const override { return true; }
  bool needs_score() const override { return false; }

 private:
  // @param scores  the output errors so far, that of `r` last; empty where nothing can tell them.
  double error(const DriverProblem& problem, const Tensor& w, const DriverResult& r,
               const std::vector<double>& scores) const {
    if (by_output_ && !scores.empty()) return scores.back();
    return problem.solver->residual(w - dequantize_members(r.low_bit), r.factors);
  }

  static DriverResult round(const DriverProblem& problem, const Tensor& w, const LowRankFactors& branch,
                            const Tensor& start) {
    DriverResult r;
    r.low_bit =
        quantize_members(problem, branch.up.defined() ? at::addmm(w, branch.up, branch.down, 1, -1) : w);
    if (problem.rank > 0)
      r.factors =
          round_to_bf16(problem.solver->solve(w - dequantize_members(r.low_bit), problem.rank, start));
    return r;
  }

  int64_t iterations_;
  bool by_output_;
};

}  // namespace

std::unique_ptr<Driver> make_alternate_driver(Fields& options) {
  const int64_t iterations = options.integer("iterations", 20);
  SVDLAB_REQUIRE(iterations >= 1, Errc::kConfig, options.where(), ": `", options.path_of("iterations"),
                 "` must be at least 1, not ", iterations);
  const std::string judge = options.text("judge", "output");
  SVDLAB_REQUIRE(judge == "output" || judge == "norm", Errc::kConfig, options.where(), ": `",
                 options.path_of("judge"), "` must be output or norm, not ", judge);
  return std::make_unique<AlternateDriver>(iterations, judge == "output");
}

}  // namespace svdlab
