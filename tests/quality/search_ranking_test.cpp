// Does scoring without the network pick what the network would pick? Every smoothing candidate of a group is
// compressed and its linears are run by the executor on the calibration inputs themselves, every token of
// them, in bf16; the scorers' order is held against that. ctest takes two groups and a coarse grid; every
// group:
//   SVDLAB_ALL_GROUPS=1 build/tests/test_quality --gtest_filter='*SearchRanking*'
// SVDLAB_REPLAY_SEED=1 takes inputs of other items than calibration saw: what the scorers cannot know is then
// in, too.
#include <cmath>
#include <numeric>

#include "core/base/parallel.h"
#include "core/runtime/executor.h"
#include "tests/quality/embedded_groups.h"

namespace svdlab {
namespace {

using testing::EmbeddedGroups;

std::vector<double> ranks(const std::vector<double>& v) {
  std::vector<size_t> order(v.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return v[a] < v[b]; });
  std::vector<double> out(v.size());
  for (size_t i = 0; i < order.size(); ++i) out[order[i]] = static_cast<double>(i);
  return out;
}

// Spearman's rank correlation of values without ties.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> p = ranks(a), q = ranks(b);
  const double n = static_cast<double>(a.size());
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (p[i] - q[i]) * (p[i] - q[i]);
  return 1 - 6 * sum / (n * (n * n - 1));
}

struct Ranking {
  std::string group;
  double correlation[2], regret_db[2];  // tokens, gram
};

class SearchRanking : public ::testing::TestWithParam<std::string> {
 protected:
  const int64_t grid = testing::all_groups() ? 20 : 4;

  std::vector<SearchStep> searched(const EmbeddedGroups& e, size_t job, const std::string& score) const {
    const Plan plan = EmbeddedGroups::plan(
        GetParam(),
        concat("{preset: svdquant, transform: {smooth: {grid: ", grid, "}}, score: ", score, "}"));
    return run_job(e.model.graph, e.stats, e.jobs(plan)[job], {}).log[0].search;
  }

  // The executor's output error under one candidate, over all linears of the job.
  double replayed(const EmbeddedGroups& e, const StatsMap& inputs, size_t job, const SearchStep& step) const {
    const std::string smooth = step.alpha == 0 && step.beta == 0
                                   ? "none"
                                   : concat("{smooth: {alpha: ", step.alpha, ", beta: ", step.beta, "}}");
    const Plan plan = EmbeddedGroups::plan(GetParam(), concat("{preset: svdquant, transform: ", smooth, "}"));
    const CompressionJob work = e.jobs(plan)[job];
    CompressedModel compressed;
    for (CompressedLinear& linear : run_job(e.model.graph, e.stats, work, {}).linears)
      compressed.linears[linear.name] = std::move(linear);
    const Executor plain(e.model.graph, {.cache_weights = false}),
        quantized(e.model.graph, {.compressed = &compressed, .cache_weights = false});
    double sum = 0;
    for (const CompressionJob::Share& share : work.shares)
      for (const int linear : share.linears) {
        const int node = e.model.graph.node_of_linear(linear);
        const std::vector<Tensor> x = {inputs.at(share.group->name).reservoir};
        sum += (plain.run_node(node, x) - quantized.run_node(node, x))
                   .to(at::kDouble)
                   .square()
                   .sum()
                   .item<double>();
      }
    return sum;
  }

  Ranking rank(const EmbeddedGroups& e, const StatsMap& inputs, size_t job) const {
    Ranking out;
    std::vector<double> truth;
    const char* const scorers[] = {"tokens", "gram"};
    for (int s = 0; s < 2; ++s) {
      const std::vector<SearchStep> steps = searched(e, job, scorers[s]);
      std::vector<double> scored;
      size_t chosen = 0;
      for (size_t i = 0; i < steps.size(); ++i) {
        scored.push_back(steps[i].error);
        if (steps[i].chosen) chosen = i;
        if (s == 0) truth.push_back(replayed(e, inputs, job, steps[i]));
      }
      out.correlation[s] = rank_correlation(scored, truth);
      out.regret_db[s] = 10 * std::log10(truth[chosen] / *std::min_element(truth.begin(), truth.end()));
    }
    return out;
  }
};

TEST_P(SearchRanking, OfBothScorersAgreesWithReplays) {
  const EmbeddedGroups embedded(testing::all_groups() ? 128 : 16);
  const char* seed = std::getenv("SVDLAB_REPLAY_SEED");
  const StatsMap inputs = embedded.inputs({.pairs = testing::all_groups() ? 64 : 8,
                                           .pairs_per_item = 4,
                                           .tokens = 64 * 1024,
                                           .seed = seed == nullptr ? 0ull : std::strtoull(seed, nullptr, 10),
                                           .threads = 2});
  const Plan plan = EmbeddedGroups::plan(GetParam(), "preset: svdquant");
  const std::vector<CompressionJob> jobs = embedded.jobs(plan);
  ASSERT_GE(jobs.size(), testing::least_groups());
  std::vector<Ranking> all(jobs.size());
  parallel_for(static_cast<int64_t>(jobs.size()), testing::all_groups() ? 2 : 1, [&](int64_t i, int) {
    const SingleThreadScope single;
    const NoGradGuard no_grad;
    all[i] = rank(embedded, inputs, static_cast<size_t>(i));
    all[i].group = jobs[i].shares.front().group->name;
  });
  std::printf("%s: rank correlation with replays, regret in dB\n%-48s %8s %8s %8s %8s\n", GetParam().c_str(),
              "group", "tokens", "gram", "tokens", "gram");
  double least = 1, worst = 0, mean[4] = {};
  for (const Ranking& r : all) {
    std::printf("%-48s %8.4f %8.4f %8.4f %8.4f\n", r.group.c_str(), r.correlation[0], r.correlation[1],
                r.regret_db[0], r.regret_db[1]);
    for (int s = 0; s < 2; ++s) {
      least = std::min(least, r.correlation[s]);
      worst = std::max(worst, r.regret_db[s]);
      mean[s] += r.correlation[s] / static_cast<double>(all.size());
      mean[2 + s] += r.regret_db[s] / static_cast<double>(all.size());
    }
  }
  std::printf("%-48s %8.4f %8.4f %8.4f %8.4f\n", "mean", mean[0], mean[1], mean[2], mean[3]);
  // Seven candidates and a short calibration are enough to see a scorer that is wrong, not to tell near ties.
  EXPECT_TRUE(least >= (testing::all_groups() ? 0.9 : 0.7)) << least;
  EXPECT_TRUE(worst <= (testing::all_groups() ? 0.2 : 0.4)) << worst << " dB";
}

INSTANTIATE_TEST_SUITE_P(Formats, SearchRanking, ::testing::Values("int4", "nvfp4"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace svdlab
