// LQ-LoRA's driver. Contracts of every driver are in driver_test.cpp.
#include "core/ir/quantize.h"
#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"
#include "lowrank/weighted.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;

std::unique_ptr<Driver> driver(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "driver");
  auto made = drivers().at(name)(fields);
  fields.finish();
  return made;
}

class Alternate : public ::testing::Test {
 protected:
  Alternate() {
    const Value none = Value::map();
    Fields fields(none, "");
    quantizer_ = weight_quantizers().at("rtn")(fields);
    solver_ = low_rank_solvers().at("gram")(fields);
    problem.weights = {testing::realistic_weight(96, 128, "alternate-a"),
                       testing::realistic_weight(64, 128, "alternate-b")};
    problem.scheme = *scheme_named("w4a16-nf4-g64").weights;
    problem.quantizer = quantizer_.get();
    problem.solver = solver_.get();
    problem.rank = 16;
  }

  double norm(const DriverResult& r) const {
    return problem.solver->residual(stacked_weights(problem) - dequantize_members(r.low_bit), r.factors);
  }
  DriverResult rounds(int64_t count) const {
    return driver("alternate", concat("{judge: norm, iterations: ", count, "}"))->drive(problem);
  }
  void score_by(const std::vector<double>& script) {
    problem.score = [this, script](const auto&, const auto&) { return script.at(scored_++); };
  }

  DriverProblem problem;
  size_t scored_ = 0;

 private:
  std::unique_ptr<WeightQuantizer> quantizer_;
  std::unique_ptr<LowRankSolver> solver_;
};

TEST_F(Alternate, OneRoundIsLorc) {
  const DriverResult a = rounds(1), b = driver("lorc")->drive(problem);
  expect_identical(a.low_bit[1].codes, b.low_bit[1].codes);
  expect_identical(a.factors.up, b.factors.up);
  expect_identical(a.factors.down, b.factors.down);
}

TEST_F(Alternate, ErrorFallsFromRoundToRoundAndEndsWellBelowRounding) {
  const Tensor w = stacked_weights(problem);
  const double rounding = energy(w - dequantize_members(quantize_members(problem, w)));
  double last = rounding, first = 0;
  int best = 0;
  for (const int64_t count : {1, 2, 3, 5, 10, 30}) {
    const DriverResult r = rounds(count);
    const double now = norm(r);
    EXPECT_TRUE(now <= last) << count << ": " << now << " after " << last;
    EXPECT_LT(r.best_round, count);
    first = count == 1 ? now : first;
    last = now, best = r.best_round;
  }
  RecordProperty("rtn_first_last", concat(rounding, ' ', first, ' ', last, " round ", best));
  EXPECT_GE(best, 3);
  EXPECT_TRUE(first < 0.9 * rounding) << first / rounding;
  EXPECT_TRUE(last < 0.9 * first) << last / first;
}

TEST_F(Alternate, TheResidualIsFittedToTheKeptQuantizedPart) {
  const DriverResult r = rounds(30);
  const LowRankFactors again = round_to_bf16(
      problem.solver->solve(stacked_weights(problem) - dequantize_members(r.low_bit), problem.rank));
  expect_close(again.up.matmul(again.down), r.factors.up.matmul(r.factors.down), 1e-6);
}

TEST_F(Alternate, JudgedByOutputItStopsWhereThatGrowsAndKeepsTheBest) {
  score_by({5, 4, 3, 3.5, 1});
  const DriverResult r = driver("alternate", "{iterations: 30}")->drive(problem);
  EXPECT_EQ(r.errors, (std::vector<double>{5, 4, 3, 3.5}));
  EXPECT_EQ(r.best_round, 2);
  problem.score = nullptr;
  expect_identical(r.low_bit[0].codes, rounds(3).low_bit[0].codes);
}

TEST_F(Alternate, JudgedByTheNormTheScoreIsOnlyLogged) {
  const DriverResult quiet = rounds(4);
  score_by({1, 2, 3, 4});
  const DriverResult scored = rounds(4);
  EXPECT_EQ(scored.errors, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(scored.best_round, 3);
  expect_identical(scored.low_bit[0].codes, quiet.low_bit[0].codes);
}

TEST_F(Alternate, ANanRoundNeverWinsAndANanStartIsRefused) {
  score_by({5, std::nan(""), 1});
  const DriverResult r = driver("alternate")->drive(problem);
  EXPECT_EQ(r.errors.size(), 2u);
  EXPECT_EQ(r.best_round, 0);
  scored_ = 0;
  score_by({std::nan(""), 1});
  EXPECT_TRUE(testing::throws_error([&] { driver("alternate")->drive(problem); }, Errc::kInput,
                                    {"driver alternate", "nan"}));
}

TEST_F(Alternate, ASearchLimitsTheRounds) {
  problem.max_rounds = 1;
  score_by({2});
  EXPECT_EQ(driver("alternate")->drive(problem).errors, (std::vector<double>{2}));
}

TEST_F(Alternate, TheNormOfTheRoundsIsTheSolvers) {
  const WeightedSolver weighted(*problem.solver,
                                {.rows = at::logspace(-1, 1, 160), .cols = at::logspace(1, -1, 128)});
  const DriverResult plain = rounds(30);
  problem.solver = &weighted;
  const DriverResult ours = rounds(30);
  EXPECT_TRUE(norm(ours) < 0.9 * norm(plain)) << norm(ours) / norm(plain);
}

TEST(AlternateOptions, AreChecked) {
  const auto refused = [](const std::string& options, const std::vector<std::string>& parts) {
    return testing::throws_error([&] { driver("alternate", options); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(refused("{iterations: 0}", {"driver.iterations", "0"}));
  EXPECT_TRUE(refused("{judge: eye}", {"driver.judge", "output or norm", "eye"}));
  EXPECT_TRUE(refused("{patience: 2}", {"patience"}));
}

}  // namespace
}  // namespace svdlab
