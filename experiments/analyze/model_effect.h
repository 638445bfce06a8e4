#pragma once
#include <vector>

#include "core/ir/compressed.h"
#include "experiments/study/cell_run.h"

namespace svdlab {

/// What compressing some linears did to one item.
struct ItemEffect {
  double output_rel_error =
      0;  ///< of the model's output on the 16-bit trajectory, every step, conditional half
  double latent_rel_error = 0;  ///< of the final latents of its own trajectory
  double psnr_db = 0;           ///< of its picture against the 16-bit one; NaN where there are no pictures
};

/// Measures compressed models against the 16-bit run of the protocol's items.
class EffectMeter {
 public:
  /// Runs the 16-bit model once along the stored trajectories, which must be there. `context` must outlive
  /// it.
  explicit EffectMeter(const CellContext& context);

  /// One per item. Throws kInput when a run diverges.
  std::vector<ItemEffect> measure(const CompressedModel& compressed) const;

 private:
  const CellContext& context_;
  std::vector<std::vector<Tensor>> outputs_;  ///< item, step
};

}  // namespace svdlab
