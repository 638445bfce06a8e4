#pragma once
#include <memory>
#include <span>
#include <string>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "quant/group_problem.h"

namespace svdlab {

/// Chooses the online part of a group's transform: today a per-channel divisor of the input.
class Transform {
 public:
  virtual ~Transform() = default;
  /// @param problems  the groups that must share the vector (one, or those tied together), all with the same
  /// K.
  /// @param score     output error through the rest of the recipe, summed over `problems`.
  /// @return [K] fp32 > 0 holding bf16 values, or an undefined tensor for "none".
  virtual Tensor fit(std::span<const GroupProblem> problems, const SmoothScore& score) const = 0;
  virtual bool needs_stats() const = 0;
};

using TransformFactory = std::unique_ptr<Transform> (*)(Fields& options);
/// Catalogue of transforms; the key under `transform:` in a recipe.
const Registry<TransformFactory>& transforms();

}  // namespace svdlab
