#include "experiments/analyze/model_effect.h"

#include <cmath>

#include "core/base/error.h"
#include "eval/psnr.h"
#include "eval/relative_error.h"
#include "experiments/sampling/latents.h"
#include "experiments/study/layer_metrics.h"

namespace svdlab {
namespace {

/// The model's output at every step of an item's 16-bit trajectory.
std::vector<Tensor> outputs(const Executor& executor, const Reference& reference, int64_t item) {
  std::vector<Tensor> out;
  for (int64_t step = 0; step < reference.sampler().steps(); ++step)
    out.push_back(executor.run(
        reference.sampler().inputs(reference.item(item), reference.trajectory(item).latents[step], step)));
  return out;
}

double output_error(const std::vector<Tensor>& expected, const std::vector<Tensor>& actual) {
  PairSums sums;
  for (size_t step = 0; step < expected.size(); ++step) add(sums, pair_sums(expected[step], actual[step]));
  return relative_error_of(sums);
}

}  // namespace

EffectMeter::EffectMeter(const CellContext& context)
    : context_(context), outputs_(context.study.protocol.items) {
  for_each_item(0, static_cast<int64_t>(outputs_.size()), context.schedule, [&](int64_t i) {
    outputs_[i] = outputs(context.reference.executor(), context.reference, i);
  });
}

std::vector<ItemEffect> EffectMeter::measure(const CompressedModel& compressed) const {
  const Reference& reference = context_.reference;
  const Executor executor(reference.model().graph, {.compressed = &compressed});
  const Sampler sampler = reference.sampler_for(executor);
  std::vector<ItemEffect> effects(outputs_.size());
  for_each_item(0, static_cast<int64_t>(effects.size()), context_.schedule, [&](int64_t i) {
    const Tensor last = sampler.run(reference.item(i)).latents.back();
    SVDLAB_REQUIRE(last.isfinite().all().item<bool>(), Errc::kInput, "the run diverged: latents of ",
                   reference.item(i).name, " are not finite");
    effects[i].output_rel_error = output_error(outputs_[i], outputs(executor, reference, i));
    effects[i].latent_rel_error = relative_error(reference.trajectory(i).latents.back(), last);
    effects[i].psnr_db = reference.makes_pictures()
                             ? psnr(reference.image(i), to_image(decode_pixels(last, reference.facts())))
                             : std::nan("");
  });
  return effects;
}

}  // namespace svdlab
