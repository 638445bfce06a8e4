#include "experiments/sampling/sampler.h"

#include <algorithm>
#include <mutex>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/runtime/single_thread.h"
#include "experiments/sampling/latents.h"
#include "experiments/sampling/schedule.h"

namespace svdlab {

Sampler::Sampler(const GraphRunner& executor, const Model& model, SamplerOptions options)
    : executor_(executor),
      embeds_guidance_(model.graph.facts.at("guidance_embeds") != 0),
      options_(std::move(options)),
      sigmas_(options_.sigmas.empty()
                  ? flux_sigmas(options_.steps, options_.facts.height / 2 * (options_.facts.width / 2))
                  : options_.sigmas),
      image_ids_(image_ids(options_.facts.height, options_.facts.width, at::TensorOptions(at::kFloat))) {
  SVDLAB_REQUIRE(static_cast<int64_t>(sigmas_.size()) == options_.steps + 1, Errc::kConfig, options_.steps,
                 " steps take ", options_.steps + 1, " noise levels, not ", sigmas_.size());
  SVDLAB_REQUIRE(embeds_guidance_ || options_.guidance == 1.0 || options_.unconditional.has_value(),
                 Errc::kConfig, "guidance ", options_.guidance,
                 " needs the model's \"no class\" conditioning; use guidance 1 or give it");
}

NamedTensors Sampler::inputs(const SampleItem& item, const Tensor& latents, int64_t step) const {
  NamedTensors in{{"hidden_states", latents},
                  {"encoder_hidden_states", item.tokens},
                  {"pooled_projections", item.pooled},
                  {"timestep", at::full({1}, sigmas_.at(step), at::kFloat)},
                  {"img_ids", image_ids_},
                  {"txt_ids", at::zeros({item.tokens.size(1), 3}, at::kFloat)}};
  if (embeds_guidance_) in["guidance"] = at::full({1}, options_.guidance, at::kFloat);
  return in;
}

Tensor Sampler::velocity(const SampleItem& item, const Tensor& latents, int64_t step,
                         const GraphRunner::Observer& observer) const {
  const Tensor conditional = executor_.run(inputs(item, latents, step), observer).to(latents.options());
  if (embeds_guidance_ || options_.guidance == 1.0) return conditional;
  const Tensor free =
      executor_.run(inputs(*options_.unconditional, latents, step), observer).to(latents.options());
  return free + options_.guidance * (conditional - free);
}

Trajectory Sampler::run(const SampleItem& item, int64_t stop_after,
                        const GraphRunner::Observer& observer) const {
  const NoGradGuard no_grad;
  Trajectory out{{item.latents}};
  const int64_t end = stop_after < 0 ? options_.steps : std::min(stop_after, options_.steps);
  for (int64_t step = 0; step < end; ++step) {
    const Tensor& x = out.latents.back();
    out.latents.push_back(x + (sigmas_[step + 1] - sigmas_[step]) * velocity(item, x, step, observer));
  }
  return out;
}

std::vector<Trajectory> run_items(const Sampler& sampler, const std::vector<SampleItem>& items, int threads,
                                  const std::function<void(int64_t, int64_t)>& progress) {
  std::vector<Trajectory> out(items.size());
  std::mutex mutex;
  int64_t done = 0;
  const int64_t total = static_cast<int64_t>(items.size());
  parallel_for(total, threads, [&](int64_t i, int) {
    const SingleThreadScope single;
    out[i] = sampler.run(items[i]);
    const std::lock_guard lock(mutex);
    ++done;
    if (progress) progress(done, total);
  });
  return out;
}

Tensor decode_pixels(const Tensor& latents, const SamplingFacts& facts) {
  return unpack_latents(latents, facts.height, facts.width)[0];
}

}  // namespace svdlab
