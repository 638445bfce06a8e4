#include "experiments/calibrate/calibrate.h"

#include <iostream>

#include "core/base/error.h"
#include "core/runtime/single_thread.h"
#include "experiments/calibrate/stats_file.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/study/progress.h"

namespace svdlab {

namespace po = boost::program_options;

int calibrate_command(const std::vector<std::string>& arguments) {
  Options options("calibrate MODEL --out stats.safetensors",
                  "Runs the 16-bit model and collects what its linears' inputs look like.",
                  "svdlab calibrate notebooks_data/models/flux-cifar --out stats.safetensors");
  CalibrationOptions c;
  options.add()("out", po::value<std::string>(), "file to write");
  options.add()("pairs", po::value<int64_t>(&c.pairs)->default_value(c.pairs), "(item, step) pairs");
  options.add()("pairs-per-item", po::value<int64_t>(&c.pairs_per_item)->default_value(c.pairs_per_item),
                "of each item");
  options.add()("timesteps", po::value<std::string>()->default_value("random"),
                "steps of an item: random, or uniform (evenly spaced, every step as often)");
  options.add()("time-ranges", po::value<int64_t>(&c.time_ranges)->default_value(0),
                "statistics of so many ranges of sampling steps, too");
  options.add()("tokens", po::value<int64_t>(&c.tokens)->default_value(c.tokens),
                "tokens kept of each group");
  options.add()("seed", po::value<int64_t>()->default_value(0), "of items, steps and tokens");
  options.add()("steps", po::value<int64_t>(&c.steps)->default_value(c.steps),
                "Euler steps of the trajectories");
  options.add()("guidance", po::value<double>(), "default: what the model's sampling.yaml says");
  options.add()("fisher", "squared gradients of the weights, too (half as much work again)");
  options.add()("fisher-full", po::value<std::vector<std::string>>(),
                "a group whose weights keep every element's, [out, in] in float64; may be repeated");
  options.add()("threads", po::value<int64_t>()->default_value(0), "worker threads, 0: all cores");
  if (!options.parse(arguments)) return 0;
  const std::string folder = options.word("model folder");
  SVDLAB_REQUIRE(options.has("out"), Errc::kConfig, "--out is missing: the file to write");
  SVDLAB_REQUIRE(options.get<int64_t>("seed") >= 0, Errc::kConfig, "--seed must not be negative");
  const Model model = load_model(folder);
  const SamplingFacts facts = load_sampling_facts(folder);
  c.seed = static_cast<uint64_t>(options.get<int64_t>("seed"));
  c.timesteps = calibration_steps_named(options.get<std::string>("timesteps"), "--timesteps");
  c.guidance = options.has("guidance") ? options.get<double>("guidance") : facts.guidance;
  c.gradients = options.has("fisher") || options.has("fisher-full");
  if (options.has("fisher-full")) {
    const auto groups = options.get<std::vector<std::string>>("fisher-full");
    c.full_gradients = {groups.begin(), groups.end()};
  }
  c.threads = thread_count(options.get<int64_t>("threads"));
  const SingleThreadScope whole_command;
  Progress progress("calibration, item");
  const StatsMap stats = calibrate(model, load_conditioning(folder), facts, c,
                                   [&](int64_t done, int64_t total) { progress.update(done, total); });
  save_stats(options.get<std::string>("out"), stats, model_hash(folder));
  std::cout << stats.size() << " groups in " << options.get<std::string>("out") << "\n";
  return 0;
}

}  // namespace svdlab
