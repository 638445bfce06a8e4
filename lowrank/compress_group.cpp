#include "lowrank/compress_group.h"

#include <chrono>
#include <deque>

#include "lowrank/group_run.h"
#include "lowrank/problem_checks.h"
#include "lowrank/timestep_ranges.h"
#include "quant/row_blocks.h"

namespace svdlab {
namespace {

// Candidates are compared with this in place of a weight quantizer that has no stand-in of its own, as
// DeepCompressor does, at a fraction of the cost.
constexpr const char* kSearchWeights = "rtn";

std::unique_ptr<WeightQuantizer> plain_weights() {
  const Value no_options = Value::map();
  Fields fields(no_options, kSearchWeights);
  return weight_quantizers().at(kSearchWeights)(fields);
}

// Consecutive candidates of which each may start from the one before; chains run in parallel. Fixed, so that
// results do not depend on the thread count.
constexpr int64_t kChain = 5;

// The group without what an extra branch took of it; `kept` holds what it refers to.
GroupProblem without(const GroupProblem& whole, const TakenOut& taken, std::deque<ActivationStats>& kept) {
  GroupProblem rest = whole;
  rest.weights = taken.rest;
  if (!taken.columns.defined() || !whole.stats) return rest;
  kept.push_back(whole.stats->without_channels(taken.columns));
  rest.stats = &kept.back();
  return rest;
}

std::vector<double> search_errors(const std::vector<GroupRun>& runs, const WeightQuantizer& weights,
                                  const std::vector<OnlineTransform>& candidates, Through through,
                                  int threads) {
  std::vector<double> errors(candidates.size());
  for_each_block(static_cast<int64_t>(candidates.size()), kChain, threads, [&](int64_t begin, int64_t end) {
    std::vector<std::vector<Tensor>> starts(runs.size());
    for (int64_t i = begin; i < end; ++i)
      for (size_t r = 0; r < runs.size(); ++r)
        errors[i] += runs[r].search_error(candidates[i], weights, through, starts[r]);
  });
  return errors;
}

}  // namespace

GroupCompression compress_group(std::span<const GroupProblem> problems, const Recipe& recipe,
                                const CompressionOptions& options) {
  if (recipe.by_timestep) return compress_by_timestep(problems, recipe, options);
  const Stages stages = make_stages(recipe, "");
  const auto plain = plain_weights();
  const WeightQuantizer& stand_in = stages.weights->stand_in() ? *stages.weights->stand_in() : *plain;
  std::vector<TakenOut> taken;
  std::deque<ActivationStats> stats;
  std::vector<GroupProblem> rest;
  for (const GroupProblem& p : problems) {
    check_problem(p, recipe, stages);
    taken.push_back(stages.branch->take(p, stand_in));
    rest.push_back(without(p, taken.back(), stats));
  }
  std::vector<GroupRun> runs;
  for (size_t i = 0; i < rest.size(); ++i) runs.emplace_back(rest[i], taken[i], recipe, stages, options);
  const auto start = std::chrono::steady_clock::now();
  TransformFit fit =
      stages.transform->fit(rest, [&](const std::vector<OnlineTransform>& candidates, Through through) {
        return search_errors(runs, stand_in, candidates, through, options.group_threads);
      });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  GroupCompression out;
  for (const GroupRun& run : runs) run.compress(fit.online, out);
  for (CompressionLog& log : out.log)
    log.search_seconds = seconds.count() / static_cast<double>(out.log.size());
  out.log.front().search = std::move(fit.tried);
  return out;
}

}  // namespace svdlab
