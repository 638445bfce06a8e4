#pragma once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "core/io/yaml.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "core/runtime/single_thread.h"
#include "experiments/calibrate/calibrate.h"
#include "lowrank/compression_jobs.h"
#include "tests/support/support.h"

namespace svdlab::testing {

/// Every W4A4 group of the embedded model instead of a few: SVDLAB_ALL_GROUPS=1, for a run by hand.
inline bool all_groups() {
  const char* value = std::getenv("SVDLAB_ALL_GROUPS");
  return value != nullptr && std::string(value) == "1";
}

/// With all groups: SVDLAB_GROUPS=10:20 takes those of a run in pieces.
inline void keep_piece(std::vector<CompressionJob>& jobs) {
  const char* value = std::getenv("SVDLAB_GROUPS");
  if (value == nullptr) return;
  size_t begin = 0, end = 0;
  ASSERT_EQ(std::sscanf(value, "%zu:%zu", &begin, &end), 2) << value;
  end = std::min(end, jobs.size());
  ASSERT_LT(begin, end) << value;
  jobs = {jobs.begin() + static_cast<int64_t>(begin), jobs.begin() + static_cast<int64_t>(end)};
}

/// Fewer groups than these, and a run says nothing.
inline size_t least_groups() {
  if (!all_groups()) return 2;
  return std::getenv("SVDLAB_GROUPS") != nullptr ? 1 : 20;
}

/// The embedded model, statistics of its groups, and its W4A4 groups as one plan of a scheme and recipe sees
/// them.
class EmbeddedGroups {
 public:
  /// @param pairs  (item, step) pairs of calibration.
  explicit EmbeddedGroups(int64_t pairs)
      : model(load_model(kFolder)),
        stats(inputs(
            {.pairs = pairs, .pairs_per_item = 4, .tokens = all_groups() ? 2048 : 512, .threads = 2})) {}

  /// Statistics (or with a reservoir that holds them all: the inputs) of every group.
  StatsMap inputs(CalibrationOptions options) const {
    options.guidance = 2;
    return calibrate(model, load_conditioning(kFolder), load_sampling_facts(kFolder), options);
  }

  /// Groups that share a smoothing vector are one job. In graph order; two of unlike kinds (tied; of two
  /// segments), or all.
  std::vector<CompressionJob> jobs(const Plan& plan) const {
    std::vector<CompressionJob> all = compression_jobs(model.graph, plan, assign_rules(model.graph, plan));
    std::vector<CompressionJob> out;
    for (const char* name : {"transformer_blocks.0.attn.to_out.0", "single_transformer_blocks.3.proj_out"})
      for (const CompressionJob& job : all)
        if (job.shares.front().group->name == name) out.push_back(job);
    if (!all_groups()) return out;
    keep_piece(all);
    return all;
  }

  static Plan plan(const std::string& scheme, const std::string& recipe) {
    const Recipe bf16 = parse_recipe(parse_yaml("preset: bf16", "test"), "");
    const Recipe method = parse_recipe(parse_yaml(recipe, "test"), "");
    return {{"*norm*.linear", scheme_named("bf16"), bf16, "test"},
            {"*block*", scheme_named(scheme), method, "test"},
            {"*", scheme_named("bf16"), bf16, "test"}};
  }

  Model model;
  StatsMap stats;

 private:
  static constexpr const char* kFolder = SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar";
};

}  // namespace svdlab::testing
