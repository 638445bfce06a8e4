#pragma once
#include <functional>
#include <optional>
#include <vector>

#include "core/models/model.h"
#include "core/runtime/executor.h"
#include "experiments/sampling/items.h"

namespace svdlab {

struct SamplerOptions {
  int64_t steps = 10;
  double guidance = 1.0;
  SamplingFacts facts;
  /// "No class" conditioning for classifier-free guidance (two forwards a step); not needed when the
  /// checkpoint embeds its guidance (one forward) or guidance is 1.
  std::optional<SampleItem> unconditional;
  /// Noise levels, steps + 1 of them, from a checkpoint's own scheduler; empty: flux_sigmas.
  std::vector<double> sigmas;
};

/// What one item's run left behind.
struct Trajectory {
  std::vector<Tensor>
      latents;  ///< steps + 1 tensors [1, tokens, channels] fp32: the noise first, the result last
};

/// Flow-matching Euler sampling (arXiv 2210.02747) of single items; const and thread-safe.
class Sampler {
 public:
  /// @param executor, model  not owned. Latents stay on the CPU in fp32, wherever the model runs.
  Sampler(const GraphRunner& executor, const Model& model, SamplerOptions options);

  Trajectory run(const SampleItem& item, int64_t stop_after = -1,
                 const GraphRunner::Observer& observer = {}) const;

  /// The model's inputs at step `step` of a trajectory (conditional half), for replaying single forwards.
  NamedTensors inputs(const SampleItem& item, const Tensor& latents, int64_t step) const;
  Tensor velocity(const SampleItem& item, const Tensor& latents, int64_t step,
                  const GraphRunner::Observer& observer = {}) const;
  int64_t steps() const { return options_.steps; }
  const std::vector<double>& sigmas() const { return sigmas_; }  ///< noise levels, steps + 1 of them

 private:
  const GraphRunner& executor_;
  bool embeds_guidance_;
  SamplerOptions options_;
  std::vector<double> sigmas_;
  Tensor image_ids_;
};

/// Runs every item on `threads` workers, one item and one thread each; the result does not depend on
/// `threads`.
std::vector<Trajectory> run_items(const Sampler& sampler, const std::vector<SampleItem>& items, int threads,
                                  const std::function<void(int64_t done, int64_t total)>& progress = {});

/// Final latents [1, tokens, channels] of a pixel-space model as [3, H, W] in [-1, 1].
Tensor decode_pixels(const Tensor& latents, const SamplingFacts& facts);

}  // namespace svdlab
