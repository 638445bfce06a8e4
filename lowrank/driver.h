#pragma once
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/compressed.h"
#include "lowrank/scorer.h"
#include "lowrank/solver.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

/// One branch partition of a group after the transform: the members' smoothed weights and the stages to use
/// on them.
struct DriverProblem {
  std::vector<Tensor> weights;  ///< member i: [out_i, K] fp32, already multiplied by the smoothing vector
  TensorScheme scheme;
  WeightContext context;  ///< Gram of the transformed input
  const WeightQuantizer* quantizer = nullptr;
  const LowRankSolver* solver = nullptr;
  int64_t rank = 0;
  Tensor start;  ///< LowRankFactors::basis of a similar problem for the first solve, or undefined
  /// Upper bound on the rounds of an iterative driver; 1 while a transform is being searched.
  int64_t max_rounds = std::numeric_limits<int64_t>::max();
  /// Output error of a candidate set of low-bit weights and factors (`factors.up` stacks the members' rows;
  /// undefined when rank is 0); may be absent (no statistics).
  std::function<double(const std::vector<QuantizedTensor>&, const LowRankFactors&)> score;
  /// Moments of the input with the latent of a `down` factor; there whenever `score` is.
  std::function<InputMoments(const Tensor& down)> moments;
};

struct DriverResult {
  std::vector<QuantizedTensor> low_bit;  ///< one per member
  LowRankFactors factors;      ///< rows of `up` stacked in member order; undefined tensors when rank is 0
  std::vector<double> errors;  ///< score after each round, when the driver scored
  int best_round = 0;          ///< that of the smallest error, unless the driver compares by something else
};

/// The order in which a weight is split into a low-rank and a low-bit part.
class Driver {
 public:
  virtual ~Driver() = default;
  virtual DriverResult drive(const DriverProblem& problem) const = 0;
  /// False: the result never has factors, and a recipe that asks for a rank is refused.
  virtual bool makes_branch() const = 0;
  /// True: `DriverProblem::score` and `moments` must be there, hence calibration statistics.
  virtual bool needs_score() const = 0;
};

using DriverFactory = std::unique_ptr<Driver> (*)(Fields& options);
/// Catalogue of drivers: quantize, svdquant (decompose first, optionally iterated), lorc (fit the error),
/// alternate (lorc, iterated).
const Registry<DriverFactory>& drivers();

}  // namespace svdlab
