#include "experiments/study/reference.h"

#include <filesystem>
#include <mutex>

#include "core/base/parallel.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/runtime/single_thread.h"
#include "experiments/sampling/latents.h"
#include "experiments/sampling/schedule.h"
#include "experiments/study/progress.h"

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

void for_each_item(int64_t begin, int64_t end, const Schedule& schedule,
                   const std::function<void(int64_t)>& body,
                   const std::function<void(int64_t, int64_t)>& progress) {
  const int64_t batch = schedule.batch > 0 ? schedule.batch : std::max<int64_t>(1, end - begin);
  std::mutex mutex;
  int64_t done = 0;
  for (int64_t first = begin; first < end; first += batch)
    parallel_for(std::min(batch, end - first), schedule.threads, [&](int64_t i, int) {
      const SingleThreadScope one_thread;
      const NoGradGuard no_grad;
      body(first + i);
      const std::lock_guard lock(mutex);
      ++done;
      if (progress) progress(done, end - begin);
    });
}

std::string reference_name(const OutlierDial& dial) { return dial.on() ? "16-bit+" + dial.tag() : "16-bit"; }

Reference::Reference(const StudyConfig& study, const OutlierDial& dial, const std::string& folder)
    : folder_(folder),
      seed_(study.seed),
      model_(load_model(study.model)),
      conditioning_(load_conditioning(study.model)),
      facts_(load_sampling_facts(study.model)) {
  apply_outlier_dial(model_, dial);
  options_ = {.steps = study.protocol.steps,
              .guidance = study.guidance.value_or(facts_.guidance),
              .facts = facts_,
              .unconditional = no_class(conditioning_)};
  pictures_ = model_.graph.facts.at("in_channels") == kPixelChannels;
  sigmas_ = flux_sigmas(options_.steps, facts_.height / 2 * (facts_.width / 2));
  executor_ = std::make_unique<Executor>(model_.graph);
  sampler_ = std::make_unique<Sampler>(*executor_, model_, options_);
  make_directories(folder_);
}

Reference::~Reference() = default;

void Reference::ensure(int64_t count, const Schedule& schedule) {
  const int64_t old = size();
  if (count <= old) return;
  items_ = class_items(model_, conditioning_, facts_, "item", count, seed_);
  trajectories_.resize(count);
  images_.resize(count);
  Progress progress("16-bit run, item");
  for_each_item(
      old, count, schedule,
      [&](int64_t i) {
        if (!load(i)) make(i);
        if (pictures_) images_[i] = to_image(decode_pixels(trajectories_[i].latents.back(), facts_));
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
}

bool Reference::load(int64_t i) {
  const std::string base = folder_ + "/" + items_[i].name;
  if (!std::filesystem::exists(base + ".safetensors") ||
      (pictures_ && !std::filesystem::exists(base + ".png")))
    return false;
  const Tensor all = SafetensorsFile(base + ".safetensors").tensor("latents").to(at::kFloat);
  const Tensor& noise = items_[i].latents;
  SVDLAB_REQUIRE(all.dim() == 3 && all.size(0) == options_.steps + 1 && all[0].sizes() == noise[0].sizes(),
                 Errc::kInput, base, ".safetensors: latents have shape ", all.sizes(), ", needs [",
                 options_.steps + 1, ", ", noise.size(1), ", ", noise.size(2),
                 "]; remove the file to have it made again");
  for (int64_t step = 0; step < all.size(0); ++step)
    trajectories_[i].latents.push_back(all[step].unsqueeze(0).clone());
  return true;
}

void Reference::make(int64_t i) {
  trajectories_[i] = sampler_->run(items_[i]);
  const std::string base = folder_ + "/" + items_[i].name;
  if (pictures_) write_png(base + ".png", to_image(decode_pixels(trajectories_[i].latents.back(), facts_)));
  save_safetensors(base + ".safetensors",
                   {{.name = "latents", .tensor = at::cat(trajectories_[i].latents, 0)}});
}

}  // namespace svdlab
