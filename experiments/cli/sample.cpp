#include <iostream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/runtime/single_thread.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/sampling/latents.h"
#include "experiments/study/image_grid.h"
#include "experiments/study/model16.h"
#include "experiments/study/progress.h"
#include "experiments/study/schedule.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

std::vector<SampleItem> wanted_items(const Options& options, const Model& model,
                                     const Conditioning& conditioning, const SamplingFacts& facts) {
  if (options.has("items-file")) return file_items(model, options.get<std::string>("items-file"));
  const int64_t count = options.get<int64_t>("items"), seed = options.get<int64_t>("seed");
  SVDLAB_REQUIRE(count > 0 && count <= 100000, Errc::kConfig, "--items must be in [1, 100000], not ", count);
  SVDLAB_REQUIRE(seed >= 0, Errc::kConfig, "--seed must not be negative: ", seed);
  return class_items(model, conditioning, facts, "item", count, static_cast<uint64_t>(seed));
}

void write_item(const std::string& base, const Trajectory& trajectory, bool picture, bool every_step,
                const SamplingFacts& facts, Image& image) {
  if (picture) {
    image = to_image(decode_pixels(trajectory.latents.back(), facts));
    write_png(base + ".png", image);
  }
  if (every_step)
    save_safetensors(base + ".safetensors", {{.name = "latents", .tensor = at::cat(trajectory.latents, 0)}});
  else if (!picture)
    save_safetensors(base + ".safetensors", {{.name = "latents", .tensor = trajectory.latents.back()}});
}

}  // namespace

int sample_command(const std::vector<std::string>& arguments) {
  Options options("sample MODEL", "Makes pictures with a model in 16 bit: <item>.png and grid.png.",
                  "svdlab sample notebooks_data/models/flux-cifar --items 16 --steps 20 --out pictures");
  options.add()("items", po::value<int64_t>()->default_value(16), "number of pictures, classes in turn");
  options.add()("items-file", po::value<std::string>(),
                "safetensors with <item>.latents, <item>.tokens and <item>.pooled, in place of --items");
  options.add()("steps", po::value<int64_t>()->default_value(20), "Euler steps");
  options.add()("guidance", po::value<double>(), "default: what the model's sampling.yaml says");
  options.add()("seed", po::value<int64_t>()->default_value(0), "of the noise");
  options.add()("threads", po::value<int64_t>()->default_value(0), "worker threads, 0: all cores");
  options.add()("out", po::value<std::string>()->default_value("samples"), "folder to write");
  options.add()("latents-per-step", "write <item>.safetensors with the latents before and after every step");
  if (!options.parse(arguments)) return 0;
  const std::string folder = options.word("model folder"), out = options.get<std::string>("out");
  const Schedule schedule{.threads = thread_count(options.get<int64_t>("threads"))};
  const SingleThreadScope whole_command;
  const Model16 model(folder, options.get<int64_t>("steps"),
                      options.has("guidance") ? std::optional(options.get<double>("guidance")) : std::nullopt,
                      {});
  const auto items = wanted_items(options, model.model(), model.conditioning(), model.facts());
  make_directories(out);
  std::vector<Image> images(items.size());
  Progress progress("sample, item");
  for_each_item(
      0, static_cast<int64_t>(items.size()), schedule,
      [&](int64_t i) {
        write_item(out + "/" + items[i].name, model.sampler().run(items[i]), model.makes_pictures(),
                   options.has("latents-per-step"), model.facts(), images[i]);
      },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  if (model.makes_pictures()) write_png(out + "/grid.png", image_grid(images));
  std::cout << items.size() << " items in " << out << "\n";
  return 0;
}

}  // namespace svdlab
