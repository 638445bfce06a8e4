// The search at full strength against reference_search, group by group on the embedded model. ctest takes
// two groups, a short calibration and a coarse grid; everything, with a line for each group and preset:
//   SVDLAB_ALL_GROUPS=1 build/tests/test_quality --gtest_filter='*FullStrength*int4*'
// (and nvfp4; some minutes each on two cores, in pieces with SVDLAB_GROUPS=0:8 and so on).
#include <cmath>

#include "core/base/parallel.h"
#include "lowrank/compress_group.h"
#include "tests/quality/embedded_groups.h"
#include "tests/support/reference_search.h"

namespace svdlab {
namespace {

using testing::EmbeddedGroups;

struct Compared {
  std::string group;
  double signal = 0, reference = 0;
  std::vector<double> errors;  // one for each preset
};

class FullStrength : public ::testing::TestWithParam<std::string> {
 protected:
  const int64_t grid = testing::all_groups() ? 20 : 5;
  // The search without GPTQ, with it, and everything; the other axes are in
  // experiments/configs/strength.yaml.
  const std::vector<std::string> presets = {"svdquant-patient", "svdquant-gptq", "svdquant-full"};

  std::string yaml(const std::string& preset) const {
    return concat("{preset: ", preset, ", transform: {smooth: {grid: ", grid, "}}}");
  }

  Compared compare(const EmbeddedGroups& embedded, size_t job) const {
    Compared out;
    std::vector<GroupProblem> problems;
    for (const std::string& preset : presets) {
      const Plan plan = EmbeddedGroups::plan(GetParam(), yaml(preset));
      const CompressionJob work = embedded.jobs(plan)[job];
      problems = group_problems(embedded.model.graph, embedded.stats, work);
      out.group = problems.front().name;
      const GroupCompression c = compress_group(problems, work.rule->recipe, {.score_tokens = 4096});
      double error = 0;
      size_t first = 0;
      for (const GroupProblem& p : problems) {
        error += testing::replayed_error(p, std::span(c.linears).subspan(first, p.weights.size()));
        first += p.weights.size();
      }
      out.errors.push_back(error);
    }
    for (const auto& g : testing::reference_svdquant(problems, {.rank = 8, .grid = grid}))
      out.reference += g.error;
    for (const GroupProblem& p : problems)
      for (const Tensor& w : p.weights)
        out.signal += p.stats->reservoir.matmul(w.t()).to(at::kDouble).square().sum().item<double>();
    return out;
  }
};

TEST_P(FullStrength, IsAsGoodAsTheSlowSearchOnEveryGroup) {
  const EmbeddedGroups embedded(testing::all_groups() ? 128 : 8);
  const size_t count = embedded.jobs(EmbeddedGroups::plan(GetParam(), yaml(presets[0]))).size();
  ASSERT_GE(count, testing::least_groups());
  std::vector<Compared> all(count);
  parallel_for(static_cast<int64_t>(count), testing::all_groups() ? 2 : 1, [&](int64_t i, int) {
    const SingleThreadScope single;
    const NoGradGuard no_grad;
    all[i] = compare(embedded, static_cast<size_t>(i));
  });
  std::printf("output error over that of the fp64 reference search, %s\n%-48s %8s", GetParam().c_str(),
              "group", "ref dB");
  for (const std::string& preset : presets) std::printf(" %s", preset.c_str());
  std::vector<double> logs(presets.size());
  for (const Compared& c : all) {
    std::printf("\n%-48s %8.2f", c.group.c_str(), 10 * std::log10(c.signal / c.reference));
    for (size_t i = 0; i < presets.size(); ++i) {
      const double ratio = c.errors[i] / c.reference;
      logs[i] += std::log(ratio) / static_cast<double>(count);
      std::printf(" %*.4f", static_cast<int>(presets[i].size()), ratio);
      EXPECT_TRUE(ratio <= 1.01) << presets[i] << " on " << c.group << ": " << ratio;
    }
  }
  std::printf("\n%-48s %8s", "geometric mean", "");
  for (size_t i = 0; i < presets.size(); ++i)
    std::printf(" %*.4f", static_cast<int>(presets[i].size()), std::exp(logs[i]));
  std::printf("\n");
  for (size_t i = 0; i < 3; ++i)
    EXPECT_TRUE(std::exp(logs[i]) <= 1) << presets[i] << ": " << std::exp(logs[i]);
}

INSTANTIATE_TEST_SUITE_P(Formats, FullStrength, ::testing::Values("int4", "nvfp4"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace svdlab
