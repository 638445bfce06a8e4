#include <iostream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/runtime/single_thread.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/quantize/load_quantized.h"
#include "experiments/sampling/checkpoint_items.h"
#include "experiments/sampling/latents.h"
#include "experiments/sampling/layout.h"
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

// How the results of a run are written.
struct Output {
  PictureLayout layout;
  bool pictures = false, every_step = false;
  const SamplingFacts& facts;

  void write(const std::string& item, const Trajectory& trajectory, Image& image) const {
    const std::string base = layout.base(item);
    if (pictures) {
      image = to_image(decode_pixels(trajectory.latents.back(), facts));
      write_png(base + ".png", image);
    }
    if (every_step || !pictures)
      save_safetensors(base + ".safetensors",
                       {{.name = "latents",
                         .tensor = every_step ? at::cat(trajectory.latents, 0) : trajectory.latents.back()}},
                       {{"height", std::to_string(facts.height)}, {"width", std::to_string(facts.width)}});
  }
};

PictureLayout layout_of(const Options& options, size_t items) {
  const std::string out = options.get<std::string>("out"), layout = options.get<std::string>("layout");
  SVDLAB_REQUIRE(layout == "flat" || layout == "deepcompressor", Errc::kConfig,
                 "--layout is flat or deepcompressor, not ", layout);
  if (layout == "flat") return PictureLayout(out);
  return {out, options.has("benchmark") ? options.get<std::string>("benchmark") : "", items};
}

// Samples the items, writes them, and tells where.
void sample_items(const std::vector<SampleItem>& items, const Sampler& sampler, const Output& output,
                  const Schedule& schedule) {
  make_directories(output.layout.folder());
  std::vector<Image> images(items.size());
  Progress progress("sample, item");
  for_each_item(
      0, static_cast<int64_t>(items.size()), schedule,
      [&](int64_t i) { output.write(items[i].name, sampler.run(items[i]), images[i]); },
      [&](int64_t done, int64_t total) { progress.update(done, total); });
  // Programs that read a whole folder would take the overview for a sample.
  if (output.pictures && output.layout.flat())
    write_png(output.layout.folder() + "/grid.png", image_grid(images));
  std::cout << items.size() << " items in " << output.layout.folder() << "\n";
}

// What DeepCompressor reads beside the pictures of a YAML benchmark: item and prompt, the class's name.
void write_prompts(const PictureLayout& layout, const std::vector<SampleItem>& items,
                   const SamplingFacts& facts) {
  if (layout.prompts_file().empty() || facts.classes.empty()) return;
  std::string text;
  for (const SampleItem& item : items)
    text += concat(item.name, ": ", item.label < 0 ? "" : facts.classes.at(item.label), "\n");
  write_file(layout.prompts_file(), text);
}

// An executor of the model as --quantized says: in 16 bit, or with the artefact's linears.
class ChosenExecutor {
 public:
  ChosenExecutor(const Options& options, const Model& model)
      : quantized_(options.has("quantized") ? load_quantized(options.get<std::string>("quantized"), model)
                                            : CompressedModel()),
        executor_(model.graph, {.compressed = &quantized_}) {}
  const Executor& get() const { return executor_; }

 private:
  CompressedModel quantized_;
  Executor executor_;
};

int sample_embedded(const Options& options, const std::string& folder, const Schedule& schedule) {
  const Model16 model(folder, options.get<int64_t>("steps"),
                      options.has("guidance") ? std::optional(options.get<double>("guidance")) : std::nullopt,
                      {});
  const auto items = wanted_items(options, model.model(), model.conditioning(), model.facts());
  const Output output{layout_of(options, items.size()), model.makes_pictures(),
                      options.has("latents-per-step"), model.facts()};
  const ChosenExecutor executor(options, model.model());
  sample_items(items, model.sampler_for(executor.get()), output, schedule);
  write_prompts(output.layout, items, model.facts());
  return 0;
}

double guidance_of(const Options& options, const CheckpointItems& items, const Model& model) {
  if (options.has("guidance")) return options.get<double>("guidance");
  if (items.guidance) return *items.guidance;
  SVDLAB_REQUIRE(model.graph.facts.at("guidance_embeds") == 0, Errc::kConfig,
                 "--guidance is missing: the model takes one, and the latents' metadata has none");
  return 1;
}

Precision precision_of(const Options& options) {
  const std::string precision = options.get<std::string>("precision");
  SVDLAB_REQUIRE(precision == "bf16" || precision == "fp32", Errc::kConfig,
                 "--precision is bf16 or fp32, not ", precision);
  return precision == "bf16" ? Precision::kBf16 : Precision::kFp32;
}

int sample_checkpoint(const Options& options, const std::string& folder, const Schedule& schedule) {
  SVDLAB_REQUIRE(options.has("prompts") && options.has("latents"), Errc::kConfig,
                 "--prompts and --latents go together (experiments/encode_decode.py encode makes both)");
  const Model model = load_model(folder);
  const CheckpointItems items =
      load_checkpoint_items(model, options.get<std::string>("prompts"), options.get<std::string>("latents"));
  const auto steps =
      items.sigmas.empty() ? options.get<int64_t>("steps") : static_cast<int64_t>(items.sigmas.size()) - 1;
  const SamplingFacts facts{.height = items.height, .width = items.width};
  const Executor executor(model.graph, {.precision = precision_of(options)});
  const Sampler sampler(executor, model,
                        {.steps = steps,
                         .guidance = guidance_of(options, items, model),
                         .facts = facts,
                         .sigmas = items.sigmas});
  const Output output{layout_of(options, items.items.size()), false, options.has("latents-per-step"), facts};
  sample_items(items.items, sampler, output, schedule);
  return 0;
}

}  // namespace

int sample_command(const std::vector<std::string>& arguments) {
  Options options("sample MODEL",
                  "Makes pictures with a model, 16 bit or quantized: <item>.png and grid.png; final latents\n"
                  "<item>.safetensors of a checkpoint whose text encoders and decoder are elsewhere.",
                  "svdlab sample notebooks_data/models/flux-cifar --items 16 --steps 20 --out pictures");
  options.add()("quantized", po::value<std::string>(), "folder that svdlab quantize made of this model");
  options.add()("items", po::value<int64_t>()->default_value(16), "number of pictures, classes in turn");
  options.add()("items-file", po::value<std::string>(),
                "safetensors with <item>.latents, <item>.tokens and <item>.pooled, in place of --items");
  options.add()("prompts", po::value<std::string>(),
                "real checkpoints: safetensors with <item>.tokens and <item>.pooled, with --latents");
  options.add()(
      "latents", po::value<std::string>(),
      "safetensors with <item>.latents, perhaps sigmas [steps + 1]; metadata height, width, guidance");
  options.add()("precision", po::value<std::string>()->default_value("bf16"),
                "of values with --prompts: bf16, or fp32 to compare with another program");
  options.add()("steps", po::value<int64_t>()->default_value(20), "Euler steps; without sigmas of a file");
  options.add()("guidance", po::value<double>(), "default: what the model's sampling.yaml or the file says");
  options.add()("seed", po::value<int64_t>()->default_value(0), "of the noise");
  options.add()("threads", po::value<int64_t>()->default_value(0), "worker threads, 0: all cores");
  options.add()("out", po::value<std::string>()->default_value("samples"), "folder to write");
  options.add()("layout", po::value<std::string>()->default_value("flat"),
                "flat, or deepcompressor: OUT/samples/<benchmark>/<name>-<n>/, as its evaluation reads them");
  options.add()("benchmark", po::value<std::string>(), "of that layout: MJHQ, DCI or <name>.yaml");
  options.add()("latents-per-step", "write <item>.safetensors with the latents before and after every step");
  if (!options.parse(arguments)) return 0;
  const std::string folder = options.word("model folder");
  const Schedule schedule{.threads = thread_count(options.get<int64_t>("threads"))};
  const SingleThreadScope whole_command;
  const bool checkpoint = options.has("prompts") || options.has("latents");
  return checkpoint ? sample_checkpoint(options, folder, schedule)
                    : sample_embedded(options, folder, schedule);
}

}  // namespace svdlab
