#include "experiments/study/reference.h"

#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "experiments/sampling/latents.h"
#include "experiments/study/progress.h"

namespace svdlab {

std::string reference_name(const OutlierDial& dial) { return dial.on() ? "16-bit+" + dial.tag() : "16-bit"; }

Reference::Reference(const StudyConfig& study, const OutlierDial& dial, const std::string& folder)
    : Model16(study.model, study.protocol.steps, study.guidance, dial), folder_(folder), seed_(study.seed) {
  make_directories(folder_);
}

void Reference::ensure(int64_t count, const Schedule& schedule) {
  const int64_t old = static_cast<int64_t>(trajectories_.size());
  if (count <= old) return;
  items_ = class_items(model(), conditioning(), facts(), "item", count, seed_);
  trajectories_.resize(count);
  images_.resize(count);
  Progress progress("16-bit run, item");
  for_each_item(
      old, count, schedule,
      [&](int64_t i) {
        if (!load(i)) make(i);
        if (makes_pictures()) images_[i] = to_image(decode_pixels(trajectories_[i].latents.back(), facts()));
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
}

bool Reference::load(int64_t i) {
  const std::string base = folder_ + "/" + items_[i].name;
  if (!std::filesystem::exists(base + ".safetensors") ||
      (makes_pictures() && !std::filesystem::exists(base + ".png")))
    return false;
  const Tensor all = SafetensorsFile(base + ".safetensors").tensor("latents").to(at::kFloat);
  const Tensor& noise = items_[i].latents;
  const int64_t count = static_cast<int64_t>(sigmas().size());
  SVDLAB_REQUIRE(all.dim() == 3 && all.size(0) == count && all[0].sizes() == noise[0].sizes(), Errc::kInput,
                 base, ".safetensors: latents have shape ", all.sizes(), ", needs [", count, ", ",
                 noise.size(1), ", ", noise.size(2), "]; remove the file to have it made again");
  for (int64_t step = 0; step < count; ++step)
    trajectories_[i].latents.push_back(all[step].unsqueeze(0).clone());
  return true;
}

void Reference::make(int64_t i) {
  trajectories_[i] = sampler().run(items_[i]);
  const std::string base = folder_ + "/" + items_[i].name;
  if (makes_pictures())
    write_png(base + ".png", to_image(decode_pixels(trajectories_[i].latents.back(), facts())));
  save_safetensors(base + ".safetensors",
                   {{.name = "latents", .tensor = at::cat(trajectories_[i].latents, 0)}});
}

}  // namespace svdlab
