#include "experiments/study/model16.h"

#include "experiments/sampling/schedule.h"

namespace svdlab {
namespace {

// FLUX packs 2 x 2 patches: a pixel-space model has 3 channels times 4.
constexpr double kPixelChannels = 12;

SampleItem no_class(const Conditioning& conditioning) {
  SampleItem item{.name = "no-class"};
  item.tokens = conditioning.tokens[conditioning.no_class()].unsqueeze(0);
  item.pooled = conditioning.pooled[conditioning.no_class()].unsqueeze(0);
  return item;
}

}  // namespace

Model16::Model16(const std::string& folder, int64_t steps, std::optional<double> guidance,
                 const OutlierDial& dial)
    : model_(load_model(folder)),
      conditioning_(load_conditioning(folder)),
      facts_(load_sampling_facts(folder)),
      options_{.steps = steps,
               .guidance = guidance.value_or(facts_.guidance),
               .facts = facts_,
               .unconditional = no_class(conditioning_)},
      pictures_(model_.graph.facts.at("in_channels") == kPixelChannels),
      sigmas_(flux_sigmas(steps, facts_.height / 2 * (facts_.width / 2))) {
  apply_outlier_dial(model_, dial);
  executor_ = std::make_unique<Executor>(model_.graph);
  sampler_ = std::make_unique<Sampler>(*executor_, model_, options_);
}

}  // namespace svdlab
