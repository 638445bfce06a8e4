#include "experiments/quantize/quantize_inputs.h"

#include <filesystem>
#include <set>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/mapped_file.h"
#include "core/ir/gram_check.h"
#include "core/models/linear_model.h"
#include "lowrank/problem_checks.h"

namespace svdlab {
namespace {

std::vector<std::string> read_files(const std::string& model_folder, const std::string& statistics) {
  SVDLAB_REQUIRE(std::filesystem::is_directory(model_folder), Errc::kInput, "model folder \"", model_folder,
                 "\" does not exist");
  std::vector<std::string> files = checkpoint_files(model_folder);
  if (!statistics.empty()) files.push_back(statistics);
  return files;
}

std::string listing(const std::set<std::string>& names) {
  constexpr size_t kShown = 5;
  std::string out;
  size_t shown = 0;
  for (const std::string& name : names) {
    if (++shown > kShown) return concat(out, " ... (", names.size(), ")");
    out += (shown > 1 ? ", " : "") + name;
  }
  return out;
}

void check_groups(const Graph& graph, const StatsFile& stats) {
  std::map<std::string, int64_t> channels;
  std::vector<std::string> names;
  for (const LayerGroup& group : graph.groups) {
    names.push_back(group.name);
    channels[group.name] = graph.linears[group.members.front()].in_features();
  }
  for (const auto& [group, count] : stats.channels()) {
    const auto found = channels.find(group);
    SVDLAB_REQUIRE(
        found != channels.end(), Errc::kInput, stats.path(), ": group ", group,
        " is not in the model, so these are statistics of another one; nearest: ", nearest(group, names));
    SVDLAB_REQUIRE(found->second == count, Errc::kInput, stats.path(), ": group ", group, " has ", count,
                   " channels, in the model ", found->second, "; these are statistics of another one");
  }
}

void check_gradients(const QuantizeInputs& inputs, const std::vector<CompressionJob>& jobs) {
  if (!inputs.stats) return;
  for (const CompressionJob& job : jobs) {
    const Recipe& recipe = job.rule->recipe;
    const Stages stages = make_stages(recipe, "");
    const FisherDetail detail = fisher_detail(recipe, stages);
    for (const CompressionJob::Share& share : job.shares)
      for (const int l : share.linears) {
        const std::string& linear = inputs.model.graph.linears[l].name;
        SVDLAB_REQUIRE(inputs.stats->has_gradients(share.group->name, linear, detail), Errc::kInput,
                       inputs.stats->path(), ": no gradients of ", linear, ", which ",
                       stage_that_needs_gradients(recipe, stages),
                       " needs; collect them with svdlab calibrate ", inputs.model.path, " ",
                       gradients_option(detail, share.group->name));
      }
  }
}

}  // namespace

QuantizeInputs::QuantizeInputs(const std::string& model_folder, const std::string& statistics)
    : watch(read_files(model_folder, statistics)),
      model(load_quantizable(model_folder)),
      stats(statistics.empty() ? nullptr : std::make_unique<StatsFile>(statistics)) {}

StatsMap QuantizeInputs::load_stats(const CompressionJob& job, at::Device device) const {
  StatsMap out;
  for (const CompressionJob::Share& share : job.shares) {
    const std::string& group = share.group->name;
    if (!stats || !stats->channels().count(group)) continue;
    out[group] = stats->load(group).to(device);
    require_gram(out[group].gram, group);
  }
  return out;
}

void QuantizeInputs::drop(const CompressionJob& job) const {
  for (const CompressionJob::Share& share : job.shares) {
    for (const int l : share.linears) {
      const Tensor& weight = model.graph.linears[l].weight;
      drop_mapped_pages(weight.data_ptr(), weight.nbytes());
    }
    if (stats && stats->channels().count(share.group->name)) stats->drop(share.group->name);
  }
}

void check_statistics(const QuantizeInputs& inputs, const std::vector<CompressionJob>& jobs,
                      const std::string& model_sha256) {
  const StatsFile* stats = inputs.stats.get();
  if (stats != nullptr) {
    check_groups(inputs.model.graph, *stats);
    SVDLAB_REQUIRE(
        model_sha256.empty() || stats->model_sha256().empty() || stats->model_sha256() == model_sha256,
        Errc::kInput, stats->path(), ": collected on the model with SHA-256 ",
        stats->model_sha256().substr(0, 12), " ..., ", inputs.model.path, " has ", model_sha256.substr(0, 12),
        " ...; collect them with svdlab calibrate ", inputs.model.path);
  }
  check_gradients(inputs, jobs);
  std::set<std::string> missing;
  std::string needed_by;
  for (const CompressionJob& job : jobs) {
    const std::string stage = stage_that_needs_stats(job.rule->recipe, make_stages(job.rule->recipe, ""));
    if (stage.empty()) continue;
    SVDLAB_REQUIRE(stats, Errc::kConfig, job.rule->where, job.rule->where.empty() ? "" : ": ", stage,
                   " needs calibration statistics: give --stats (svdlab calibrate ", inputs.model.path,
                   " --out stats.safetensors), or choose a method without");
    for (const CompressionJob::Share& share : job.shares)
      if (!stats->channels().count(share.group->name)) missing.insert(share.group->name), needed_by = stage;
  }
  SVDLAB_REQUIRE(missing.empty(), Errc::kInput, stats->path(), ": no statistics of ", missing.size(),
                 " of the model's groups that ", needed_by, " needs: ", listing(missing),
                 "; collect them again");
}

}  // namespace svdlab
