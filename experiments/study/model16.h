#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/models/outlier_dial.h"
#include "core/runtime/executor.h"
#include "experiments/sampling/sampler.h"

namespace svdlab {

/// A model folder opened for sampling in 16 bit: graph, conditioning, sampler. Stays where it is: parts refer
/// to others.
class Model16 {
 public:
  /// @param guidance  absent: what the folder's sampling.yaml says.  @param dial  see outlier_dial.h.
  Model16(const std::string& folder, int64_t steps, std::optional<double> guidance, const OutlierDial& dial);
  Model16(const Model16&) = delete;
  Model16& operator=(const Model16&) = delete;

  const Model& model() const { return model_; }
  const Conditioning& conditioning() const { return conditioning_; }
  const SamplingFacts& facts() const { return facts_; }
  double guidance() const { return options_.guidance; }
  const Executor& executor() const { return *executor_; }
  const Sampler& sampler() const { return *sampler_; }
  /// A sampler with the same options around another executor, which must outlive it.
  Sampler sampler_for(const GraphRunner& executor) const { return Sampler(executor, model_, options_); }
  const std::vector<double>& sigmas() const { return sigmas_; }  ///< noise levels, steps + 1 of them
  /// False for models whose latents are not pixels: there are no pictures then.
  bool makes_pictures() const { return pictures_; }

 private:
  Model model_;
  Conditioning conditioning_;
  SamplingFacts facts_;
  SamplerOptions options_;
  bool pictures_;
  std::vector<double> sigmas_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Sampler> sampler_;
};

}  // namespace svdlab
