// Recipes that weigh by gradients: a study collects them by itself, quantize says what to run.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/calibrate/stats_file.h"
#include "experiments/quantize/quantize.h"
#include "experiments/study/run_study.h"
#include "experiments/study/table_rows.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

class GradientStudy : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_random_model(model_); }

  StudyRun run(const std::string& name, const std::string& methods) const {
    const StudyConfig study = parse_study(parse_yaml(
        concat("{study: ", name, ", model: ", model_,
               ", calibration: {pairs: 2, pairs_per_item: 2, tokens: 64}, protocol: {items: 1, steps: 2}, "
               "schemes: [w4a16-nf4-g64], methods: ",
               methods, "}"),
        "study.yaml"));
    return run_study(study,
                     {.runs = dir_.file("runs"), .schedule = {.threads = 2}, .command_line = {"test"}});
  }
  std::vector<std::string> cached() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(dir_.file("runs/cache")))
      out.push_back(entry.path().string());
    return out;
  }

  testing::TempDir dir_;
  const std::string model_ = dir_.file("model");
};

TEST_F(GradientStudy, CollectsGradientsOnceAndOnlyWhereARecipeNeedsThem) {
  const StudyRun plain = run("plain", "{m: {preset: lorc, low_rank: {rank: 4}}}");
  EXPECT_EQ(texts(plain.results.table("/cells"), "status")[1], "ok");
  ASSERT_EQ(cached().size(), 1u);
  EXPECT_TRUE(load_stats(cached()[0]).stats.begin()->second.fisher.empty());

  const std::string weighted =
      "{a: {preset: fwsvd, low_rank: {rank: 4}}, b: {preset: lq-lora-fisher, low_rank: {rank: 4}}}";
  const StudyRun first = run("first", weighted), again = run("again", weighted);
  EXPECT_EQ(cached().size(), 2u) << "the second study has the first one's statistics";
  for (const size_t row : {1, 2}) {
    EXPECT_EQ(texts(first.results.table("/cells"), "status")[row], "ok");
    EXPECT_EQ(numbers(first.results.table("/cells"), "output_sqnr_db")[row],
              numbers(again.results.table("/cells"), "output_sqnr_db")[row]);
  }
}

TEST_F(GradientStudy, QuantizeRefusesStatisticsWithoutThemAndSaysWhatToRun) {
  const std::string stats = dir_.file("stats.safetensors"), config = dir_.file("config.yaml");
  write_file(config,
             "{scheme: w4a16-nf4-g64, method: m, methods: {m: {preset: fwsvd, low_rank: {rank: 4}}}}");
  const auto collect = [&](bool gradients) {
    CalibrationOptions options{.pairs = 2, .pairs_per_item = 2, .tokens = 64, .steps = 2};
    options.gradients = gradients;
    save_stats(stats,
               calibrate(load_model(model_), load_conditioning(model_), load_sampling_facts(model_), options),
               model_hash(model_));
  };
  const auto quantized = [&] {
    quantize({.model = model_,
              .statistics = stats,
              .out = dir_.file("out"),
              .config = load_quantize_config({config}, {}),
              .threads = 1},
             Ranks());
  };
  collect(false);
  EXPECT_TRUE(testing::throws_error(quantized, Errc::kInput,
                                    {stats, "no gradients of", "low_rank.objective fisher-rows",
                                     "svdlab calibrate " + model_ + " --fisher"}));
  collect(true);
  EXPECT_NO_THROW(quantized());
}

}  // namespace
}  // namespace svdlab
