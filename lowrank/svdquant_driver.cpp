#include <cmath>

#include "core/base/error.h"
#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

// SVDQuant (arXiv 2411.05007): the branch takes the largest singular values, the residual is quantized.
// Iterated as in DeepCompressor: L_t = SVD_r(W - Q_{t-1}), Q_t = quantize(W - L_t), the round with the
// smallest output error wins; `patience` rounds without a better one end it (there: one). The error falls
// with a jitter of rounding that ends most runs long before they are done, so more patience is more quality
// for time. `refit`: in each round `up` is then fitted to the output, given `down` and the rounded residual.
class SvdquantDriver final : public Driver {
 public:
  SvdquantDriver(int64_t iterations, int64_t patience, bool refit)
      : iterations_(iterations), patience_(patience), refit_(refit) {}

  DriverResult drive(const DriverProblem& problem) const override {
    const Tensor w = stacked_weights(problem);
    const int64_t rounds = problem.rank == 0 ? 1 : std::min(iterations_, problem.max_rounds);
    SVDLAB_REQUIRE(rounds == 1 || problem.score, Errc::kUnexpected, "driver svdquant: ", rounds,
                   " rounds cannot be compared without a score");
    DriverResult best = round(problem, w, w, problem.start);
    if (problem.score) best.errors.push_back(problem.score(best.low_bit, best.factors));
    SVDLAB_REQUIRE(!problem.score || std::isfinite(best.errors[0]), Errc::kInput,
                   "driver svdquant: the output error of the first round is ", best.errors[0],
                   "; check the weights and the calibration inputs");
    Tensor target = rounds > 1 ? left_of(w, best.low_bit) : Tensor(), start = best.factors.basis;
    for (int64_t t = 1; t < rounds; ++t) {
      DriverResult next = round(problem, w, std::move(target), start);
      start = next.factors.basis;
      const double error = problem.score(next.low_bit, next.factors);
      const bool worse = !(error <= best.errors[best.best_round]);
      best.errors.push_back(error);
      if (worse && t - best.best_round >= patience_) break;
      target = t + 1 < rounds ? left_of(w, next.low_bit) : Tensor();
      if (worse) continue;
      best.low_bit = std::move(next.low_bit);
      best.factors = std::move(next.factors);
      best.best_round = static_cast<int>(t);
    }
    return best;
  }
  bool makes_branch() const override { return true; }
  bool needs_score() const override { return iterations_ > 1 || refit_; }

 private:
  // What the low-bit part leaves of w.
  static Tensor left_of(const Tensor& w, const std::vector<QuantizedTensor>& low_bit) {
    return dequantize_members(low_bit).neg_().add_(w);
  }

  // `target` is let go of as soon as the branch is found: it is as large as the weights.
  DriverResult round(const DriverProblem& problem, const Tensor& w, Tensor target,
                     const Tensor& start) const {
    DriverResult result;
    if (problem.rank == 0) {
      result.low_bit = quantize_members(problem, w);
      return result;
    }
    LowRankFactors& factors = result.factors;
    factors = round_to_bf16(problem.solver->solve(target, problem.rank, start));
    target.reset();
    result.low_bit = quantize_members(problem, at::addmm(w, factors.up, factors.down, 1, -1));
    if (refit_) {
      SVDLAB_REQUIRE(problem.moments, Errc::kUnexpected,
                     "driver svdquant: refit without moments of the input");
      factors.up = refitted_up(w, dequantize_members(result.low_bit), factors, problem.moments(factors.down));
    }
    return result;
  }

  int64_t iterations_, patience_;
  bool refit_;
};

}  // namespace

std::unique_ptr<Driver> make_svdquant_driver(Fields& options) {
  const int64_t iterations = options.integer("iterations", 1);
  SVDLAB_REQUIRE(iterations >= 1, Errc::kConfig, options.where(), ": `", options.path_of("iterations"),
                 "` must be at least 1, not ", iterations);
  const int64_t patience = options.integer("patience", 1);
  SVDLAB_REQUIRE(patience >= 1, Errc::kConfig, options.where(), ": `", options.path_of("patience"),
                 "` must be at least 1, not ", patience);
  return std::make_unique<SvdquantDriver>(iterations,
                                          options.boolean("early_stop", true) ? patience : iterations,
                                          options.boolean("refit", false));
}

}  // namespace svdlab
