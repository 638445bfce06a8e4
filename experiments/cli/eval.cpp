#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/io/safetensors.h"
#include "eval/clip_score.h"
#include "eval/folder_metrics.h"
#include "eval/latent_metrics.h"
#include "eval/set_metrics.h"
#include "experiments/cli/command.h"
#include "experiments/cli/eval_commands.h"
#include "experiments/cli/eval_output.h"
#include "experiments/cli/options.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

// The network that comes with the embedded model, for 32 x 32 pictures.
const std::string kShipped = "notebooks_data/models/cifar-features/features.safetensors";

void add_options(Options& options) {
  options.add()("ref", po::value<std::string>(), "folder with the reference pictures, or statistics .npz");
  options.add()("gen", po::value<std::string>(), "folder with the pictures to judge, or statistics .npz");
  options.add()("features", po::value<std::string>(),
                "network for frechet, kid, precision, recall (a CIFAR ResNet also class_agreement): "
                "safetensors of a CIFAR ResNet or squeezenet 1.1, TorchScript .pt, or none; default: the one "
                "that comes with the embedded model, for 32 x 32 pictures");
  options.add()("features-input", po::value<std::string>()->default_value("unit"),
                "what a TorchScript network takes: unit (float32, 0 to 1) or bytes (uint8)");
  options.add()("lpips", po::value<std::string>(),
                "safetensors of alexnet or squeezenet 1.1 with the LPIPS heads (experiments/export_lpips.py "
                "makes it): adds lpips");
  options.add()("lpips-normalise", po::value<std::string>()->default_value("lpips"),
                "whose numbers: lpips (the package) or torchmetrics");
  options.add()("unpaired", "the folders hold different pictures: frechet, kid, precision, recall alone");
  options.add()("latents", "compare <item>.safetensors (svdlab sample) in place of pictures: SQNR");
  options.add()("clip", po::value<std::string>(),
                "safetensors or .npz with image and text [n, D]: adds clip_score; also without folders");
  options.add()("save-stats", po::value<std::string>(), "write statistics of --gen, .npz as pytorch-fid");
  options.add()("allow-missing", "leave out pictures that only one folder has");
  options.add()("json", "one JSON document on stdout in place of the table");
  options.add()("emit-commands", "measure nothing; print the commands of other programs for these folders");
  options.add()("threads", po::value<int64_t>()->default_value(0), "worker threads, 0: all cores");
}

std::string text_of(const Options& options, const std::string& name) {
  return options.has(name) ? options.get<std::string>(name) : "";
}

std::string required(const Options& options, const std::string& name) {
  SVDLAB_REQUIRE(options.has(name), Errc::kConfig, "--", name,
                 " names a folder of pictures; see svdlab eval --help");
  return options.get<std::string>(name);
}

bool is_npz(const std::string& path) { return path.ends_with(".npz"); }

// The value of an option that has two; kConfig otherwise.
bool is_second(const Options& options, const std::string& name, const char* first, const char* second) {
  const std::string value = options.get<std::string>(name);
  SVDLAB_REQUIRE(value == first || value == second, Errc::kConfig, "--", name, " is ", first, " or ", second,
                 ", not ", value);
  return value == second;
}

// Networks, opened, and which files they came from.
struct Networks {
  std::unique_ptr<FeatureNetwork> features;
  std::unique_ptr<Lpips> lpips;
};

// The shipped network where it takes the pictures; a note where it would and is not found.
std::string default_features(const std::string& folder, const std::string& picture, Measurements& to) {
  const Image first = read_png(folder + "/" + picture);
  if (first.width != 32 || first.height != 32) return "";
  std::error_code none;
  for (fs::path from : {fs::current_path(none), fs::read_symlink("/proc/self/exe", none).parent_path()})
    for (; !from.empty(); from = from == from.root_path() ? fs::path() : from.parent_path())
      if (fs::exists(from / kShipped)) return (from / kShipped).string();
  to.note(concat("frechet, kid: not measured; ", kShipped, " is not found from here; --features FILE"));
  return "";
}

Networks open_networks(const Options& options, const std::string& folder, const std::string& picture,
                       EvalResult& result) {
  Networks out;
  const std::string asked = text_of(options, "features"), heads = text_of(options, "lpips");
  const std::string features = asked == "none" ? ""
                               : asked.empty() ? default_features(folder, picture, result.measured)
                                               : asked;
  const bool bytes = is_second(options, "features-input", "unit", "bytes");
  if (!features.empty()) {
    out.features = load_feature_network(features, bytes ? ScriptInput::kBytes : ScriptInput::kUnit);
    result.files.push_back({"features", features, out.features->name()});
  }
  const bool torchmetrics = is_second(options, "lpips-normalise", "lpips", "torchmetrics");
  if (!heads.empty()) {
    out.lpips = std::make_unique<Lpips>(
        heads, torchmetrics ? LpipsNormalise::kTorchmetrics : LpipsNormalise::kLpipsPackage);
    result.files.push_back({"lpips", heads, out.lpips->name()});
  }
  return out;
}

void append(Measurements& to, const Measurements& more) {
  to.values.insert(to.values.end(), more.values.begin(), more.values.end());
  to.notes.insert(to.notes.end(), more.notes.begin(), more.notes.end());
}

void save_stats(const Options& options, const FeatureNetwork* network, int threads,
                const EvalResult& result) {
  if (!options.has("save-stats")) return;
  SVDLAB_REQUIRE(network != nullptr && fs::is_directory(result.generated), Errc::kConfig,
                 "--save-stats takes a folder --gen and a network --features");
  save_feature_set(options.get<std::string>("save-stats"), feature_set(result.generated, *network, threads));
}

void eval_pictures(const Options& options, int threads, EvalResult& result) {
  const PicturePairs pairs = pair_pictures(result.reference, result.generated, options.has("allow-missing"));
  const Networks networks = open_networks(options, pairs.candidate, pairs.names.front(), result);
  result.n = static_cast<int64_t>(pairs.names.size()), result.left_out = pairs.left_out;
  append(result.measured, measure_folders(pairs, {networks.features.get(), networks.lpips.get(), threads}));
  save_stats(options, networks.features.get(), threads, result);
}

FeatureSet side(const std::string& source, const FeatureNetwork* network, int threads) {
  if (is_npz(source)) return load_feature_set(source);
  SVDLAB_REQUIRE(network != nullptr, Errc::kConfig, "--features names the network for the pictures of ",
                 source);
  return feature_set(source, *network, threads);
}

void eval_sets(const Options& options, int threads, EvalResult& result) {
  SVDLAB_REQUIRE(!options.has("lpips") && !options.has("allow-missing"), Errc::kConfig,
                 "--lpips and --allow-missing are for pairs of pictures, not for sets");
  std::unique_ptr<FeatureNetwork> network;
  const std::string folder = !is_npz(result.generated) ? result.generated : result.reference;
  if (!is_npz(folder)) network = open_networks(options, folder, pictures_of(folder).front(), result).features;
  const FeatureSet a = side(result.reference, network.get(), threads);
  const FeatureSet b = side(result.generated, network.get(), threads);
  result.paired = false, result.n = b.n;
  add_set_metrics(a, b, /*paired=*/false, network ? network->name() : "features of the files",
                  result.measured);
  save_stats(options, network.get(), threads, result);
}

void eval_latents(const Options& options, EvalResult& result) {
  const auto pairs = load_latent_pairs(result.reference, result.generated, options.has("allow-missing"));
  result.n = static_cast<int64_t>(pairs.size());
  append(result.measured, measure_latents(pairs, result.reference));
}

Tensor array_in(const std::string& path, const std::string& name) {
  if (is_npz(path)) return NpzFile(path).tensor(name);
  const SafetensorsFile file(path);
  SVDLAB_REQUIRE(file.entries().count(name), Errc::kInput, path, ": no tensor ", name,
                 "; CLIP score takes image and text [n, D]");
  return file.tensor(name);
}

void eval_clip(const std::string& path, EvalResult& result) {
  const std::vector<double> scores = clip_scores(array_in(path, "image"), array_in(path, "text"));
  result.measured.add("clip_score", bootstrap_mean(scores, "clip_score"),
                      "max(100 cos, 0) of the file's embeddings", concat("text of ", path));
  if (result.generated.empty()) result.generated = path, result.n = static_cast<int64_t>(scores.size());
}

void eval_folders(const Options& options, int threads, EvalResult& result) {
  result.reference = required(options, "ref"), result.generated = required(options, "gen");
  const bool sets = options.has("unpaired") || is_npz(result.reference) || is_npz(result.generated);
  SVDLAB_REQUIRE(!(sets && options.has("latents")), Errc::kConfig,
                 "--latents compares pairs of folders; it goes with neither --unpaired nor .npz");
  if (options.has("latents")) return eval_latents(options, result);
  sets ? eval_sets(options, threads, result) : eval_pictures(options, threads, result);
}

}  // namespace

int eval_command(const std::vector<std::string>& arguments) {
  Options options("eval --ref DIR --gen DIR",
                  "Measures pictures against those of the same names in another folder, or sets of pictures\n"
                  "against each other's statistics. grid.png is left out.",
                  "svdlab eval --ref pictures-bf16 --gen pictures-int4 --lpips lpips_alex.safetensors");
  add_options(options);
  if (!options.parse(arguments)) return 0;
  SVDLAB_REQUIRE(options.words().empty(), Errc::kConfig, "unexpected ", options.words().front(),
                 "; usage: svdlab eval --ref DIR --gen DIR");
  SVDLAB_REQUIRE(!(options.has("json") && options.has("emit-commands")), Errc::kConfig,
                 "--json and --emit-commands exclude each other");
  if (options.has("emit-commands")) {
    std::cout << other_programs(
        pair_pictures(required(options, "ref"), required(options, "gen"), options.has("allow-missing")));
    return 0;
  }
  EvalResult result;
  const bool clip_alone = options.has("clip") && !options.has("ref") && !options.has("gen");
  if (!clip_alone) eval_folders(options, thread_count(options.get<int64_t>("threads")), result);
  if (options.has("clip")) eval_clip(options.get<std::string>("clip"), result);
  std::cout << (options.has("json") ? eval_json(result) : eval_table(result));
  return 0;
}

}  // namespace svdlab
