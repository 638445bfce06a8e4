#pragma once
#include <memory>
#include <span>
#include <string>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "quant/group_problem.h"

namespace svdlab {

/// One smoothing vector that a search has tried; a row of the /search table.
struct SearchStep {
  double alpha = 0, beta = 0;  ///< exponents of input and weight; both 0: no smoothing
  double error = 0;            ///< as TransformScore gave it
  bool chosen = false;
};

struct TransformFit {
  OnlineTransform online;         ///< its divisors and offsets hold bf16 values
  std::vector<SearchStep> tried;  ///< empty when nothing was searched
};

/// Chooses the online part of a group's transform: a per-channel divisor of the input, and what follows it.
class Transform {
 public:
  virtual ~Transform() = default;
  /// @param problems  the groups that must share the transform (one, or those tied together), all with the
  /// same K.
  /// @param score     output errors, summed over `problems`.
  virtual TransformFit fit(std::span<const GroupProblem> problems, const TransformScore& score) const = 0;
  virtual bool needs_stats() const = 0;
  /// True: fit() compares candidates.
  virtual bool needs_score() const { return false; }
};

using TransformFactory = std::unique_ptr<Transform> (*)(Fields& options);
/// Catalogue of transforms; the key under `transform:` in a recipe.
const Registry<TransformFactory>& transforms();

}  // namespace svdlab
