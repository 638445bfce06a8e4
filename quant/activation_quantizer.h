#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "quant/group_problem.h"

namespace svdlab {

/// How the low-bit branch of one group rounds its input.
struct ActivationFit {
  ActivationScheme scheme;
  Tensor ranges = {};  ///< Range::kStatic: [segments, 2] fp32, see LowBitBranch::ranges
};

/// Chooses how the transformed input of a group is rounded; the scheme's own dynamic quantization unless a
/// recipe says something else.
class ActivationQuantizer {
 public:
  virtual ~ActivationQuantizer() = default;
  /// @param problem  whose scheme quantizes activations.
  /// @param online   the transform of the group's input.
  virtual ActivationFit fit(const GroupProblem& problem, const OnlineTransform& online) const = 0;
  virtual bool needs_stats() const = 0;
};

using ActivationQuantizerFactory = std::unique_ptr<ActivationQuantizer> (*)(Fields& options);
/// Catalogue of activation quantizers; the key under `activations:` in a recipe.
const Registry<ActivationQuantizerFactory>& activation_quantizers();

}  // namespace svdlab
