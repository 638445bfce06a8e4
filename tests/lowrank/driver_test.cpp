#include "lowrank/driver.h"

#include "core/ir/quantize.h"
#include "lowrank/driver_steps.h"
#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_identical;

std::unique_ptr<Driver> driver(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "driver");
  auto made = drivers().at(name)(fields);
  fields.finish();
  return made;
}

// Two members of unequal size and scale, and the stages a problem needs.
class Example {
 public:
  explicit Example(const std::string& scheme = "int4") {
    const Value none = Value::map();
    Fields fields(none, "");
    quantizer_ = weight_quantizers().at("rtn")(fields);
    solver_ = low_rank_solvers().at("randomized")(fields);
    problem.weights = {testing::realistic_weight(48, 128, "driver-a"),
                       testing::realistic_weight(96, 128, "driver-b") * 3};
    problem.scheme = *scheme_named(scheme).weights;
    problem.quantizer = quantizer_.get();
    problem.solver = solver_.get();
    problem.score = [this](const std::vector<QuantizedTensor>& low_bit, const LowRankFactors& f) {
      Tensor w = dequantize_members(low_bit);
      if (f.up.defined()) w = w + f.up.matmul(f.down);
      return (stacked() - w).square().sum().item<double>();
    };
    // As of uncorrelated inputs of unit energy that are not quantized.
    problem.moments = [](const Tensor& down) {
      const Tensor d = down.to(at::kDouble);
      return InputMoments{.input = d.t(), .quantized = d.t(), .latent = d.matmul(d.t())};
    };
  }
  Example(const Example&) = delete;
  Tensor stacked() const { return at::cat(problem.weights); }

  DriverProblem problem;

 private:
  std::unique_ptr<WeightQuantizer> quantizer_;
  std::unique_ptr<LowRankSolver> solver_;
};

class DriverContract : public ::testing::TestWithParam<std::string> {
 protected:
  DriverContract() : made(driver(GetParam())) { example.problem.rank = made->makes_branch() ? 6 : 0; }
  Example example;
  std::unique_ptr<Driver> made;
};

TEST_P(DriverContract, OneLowBitWeightForEachMember) {
  const DriverResult r = made->drive(example.problem);
  ASSERT_EQ(r.low_bit.size(), 2u);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(r.low_bit[i].codes.sizes(), example.problem.weights[i].sizes());
}

TEST_P(DriverContract, FactorsAreBf16ValuesOrAbsent) {
  const DriverResult r = made->drive(example.problem);
  ASSERT_EQ(r.factors.up.defined(), made->makes_branch());
  if (!made->makes_branch()) return;
  EXPECT_EQ(r.factors.up.sizes(), (std::vector<int64_t>{144, 6}));
  EXPECT_EQ(r.factors.down.sizes(), (std::vector<int64_t>{6, 128}));
  for (const Tensor& t : {r.factors.up, r.factors.down})
    expect_identical(t, t.to(at::kBFloat16).to(at::kFloat));
}

TEST_P(DriverContract, BestRoundHasTheSmallestErrorAndIsWhatIsReturned) {
  const DriverResult r = made->drive(example.problem);
  ASSERT_LT(static_cast<size_t>(r.best_round), r.errors.size());
  EXPECT_EQ(r.errors[r.best_round], *std::min_element(r.errors.begin(), r.errors.end()));
  EXPECT_EQ(r.errors[r.best_round], example.problem.score(r.low_bit, r.factors));
}

TEST_P(DriverContract, RankZeroIsPlainQuantization) {
  example.problem.rank = 0;
  const DriverResult r = made->drive(example.problem);
  EXPECT_FALSE(r.factors.up.defined());
  for (int i = 0; i < 2; ++i)
    expect_identical(r.low_bit[i].codes, quantize(example.problem.weights[i], example.problem.scheme).codes);
}

TEST_P(DriverContract, WorksWithoutAScoreIfItSaysSo) {
  ASSERT_FALSE(made->needs_score()) << "defaults must not need one";
  example.problem.score = nullptr;
  EXPECT_TRUE(made->drive(example.problem).errors.empty());
}

TEST_P(DriverContract, ZeroWeightsAreSafe) {
  for (Tensor& w : example.problem.weights) w.zero_();
  const DriverResult r = made->drive(example.problem);
  expect_identical(dequantize_members(r.low_bit).abs(), example.stacked());
}

TEST_P(DriverContract, TwiceGivesTheSame) {
  const DriverResult a = made->drive(example.problem), b = made->drive(example.problem);
  for (int i = 0; i < 2; ++i) expect_identical(a.low_bit[i].codes, b.low_bit[i].codes);
  EXPECT_EQ(a.errors, b.errors);
}

INSTANTIATE_TEST_SUITE_P(All, DriverContract, ::testing::ValuesIn(drivers().names()));

TEST(SvdquantDriver, ResidualIsFormedWithTheRoundedFactors) {
  Example s;
  s.problem.rank = 6;
  const DriverResult r = driver("svdquant")->drive(s.problem);
  const Tensor residual = at::addmm(s.stacked(), r.factors.up, r.factors.down, 1, -1);
  expect_identical(r.low_bit[0].codes, quantize(residual.slice(0, 0, 48), s.problem.scheme).codes);
  expect_identical(r.low_bit[1].codes, quantize(residual.slice(0, 48), s.problem.scheme).codes);
}

TEST(SvdquantDriver, MembersHaveTheirOwnTensorScale) {
  Example s("nvfp4");
  s.problem.rank = 6;
  s.problem.weights[1][5][9] = 40;  // sets the scale of its own member only
  const DriverResult r = driver("svdquant")->drive(s.problem);
  const Tensor residual = at::addmm(s.stacked(), r.factors.up, r.factors.down, 1, -1);
  EXPECT_EQ(r.low_bit[0].tensor_scale, quantize(residual.slice(0, 0, 48), s.problem.scheme).tensor_scale);
  EXPECT_EQ(r.low_bit[1].tensor_scale, quantize(residual.slice(0, 48), s.problem.scheme).tensor_scale);
  EXPECT_NE(r.low_bit[0].tensor_scale, r.low_bit[1].tensor_scale);
}

TEST(SvdquantDriver, IterationsLowerTheError) {
  Example s;
  s.problem.rank = 6;
  const DriverResult once = driver("svdquant")->drive(s.problem);
  const DriverResult often = driver("svdquant", "{iterations: 20}")->drive(s.problem);
  ASSERT_GT(often.errors.size(), 2u);
  EXPECT_EQ(often.errors[0], once.errors[0]);
  EXPECT_TRUE(often.errors[often.best_round] < 0.99 * once.errors[0]);
}

TEST(SvdquantDriver, EarlyStopEndsAtTheFirstIncrease) {
  Example s;
  s.problem.rank = 6;
  const std::vector<double> script = {5, 4, 4, 4.5, 1, 1};
  size_t round = 0;
  s.problem.score = [&](const auto&, const auto&) { return script[round++]; };
  const DriverResult stopped = driver("svdquant", "{iterations: 6}")->drive(s.problem);
  EXPECT_EQ(stopped.errors, (std::vector<double>{5, 4, 4, 4.5}));
  EXPECT_EQ(stopped.best_round, 2);
  round = 0;
  const DriverResult all = driver("svdquant", "{iterations: 6, early_stop: false}")->drive(s.problem);
  EXPECT_EQ(all.errors, script);
  EXPECT_EQ(all.best_round, 5);
}

TEST(SvdquantDriver, PatienceIsRoundsWithoutABetterOne) {
  Example s;
  s.problem.rank = 6;
  const std::vector<double> script = {5, 6, 4, 4.5, 4.2, 4.1, 1};
  size_t round = 0;
  s.problem.score = [&](const auto&, const auto&) { return script[round++]; };
  const DriverResult r = driver("svdquant", "{iterations: 7, patience: 3}")->drive(s.problem);
  EXPECT_EQ(r.errors, (std::vector<double>{5, 6, 4, 4.5, 4.2, 4.1}));
  EXPECT_EQ(r.best_round, 2);
  EXPECT_TRUE(testing::throws_error([] { driver("svdquant", "{patience: 0}"); }, Errc::kConfig,
                                    {"driver.patience", "0"}));
}

TEST(SvdquantDriver, ANanRoundNeverWins) {
  Example s;
  s.problem.rank = 6;
  int round = 0;
  s.problem.score = [&](const auto&, const auto&) { return round++ == 1 ? std::nan("") : 3.0; };
  EXPECT_EQ(driver("svdquant", "{iterations: 2}")->drive(s.problem).best_round, 0);
}

TEST(SvdquantDriver, SearchLimitsTheRounds) {
  Example s;
  s.problem.rank = 6;
  s.problem.max_rounds = 1;
  EXPECT_EQ(driver("svdquant", "{iterations: 20}")->drive(s.problem).errors.size(), 1u);
}

TEST(LorcDriver, FitsTheErrorOfPlainQuantization) {
  Example s;
  s.problem.rank = 6;
  const DriverResult r = driver("lorc")->drive(s.problem);
  expect_identical(r.low_bit[0].codes, quantize(s.problem.weights[0], s.problem.scheme).codes);
  const double plain = s.problem.score(r.low_bit, {});
  EXPECT_TRUE(r.errors[0] < plain) << r.errors[0] << " against " << plain;
}

// Inputs x [T, K] whose quantized version is off by `e`; everything in fp64.
struct Refit {
  Tensor w = testing::realistic_weight(48, 32, "refit-w"), q = (w * 8).round() / 8;
  Tensor x = testing::outlier_inputs(200, 32, "refit-x"),
         xq = x + testing::random_tensor({200, 32}, "refit-e") * 0.3;
  LowRankFactors factors{.up = testing::random_tensor({48, 3}, "refit-up"),
                         .down = testing::random_tensor({3, 32}, "refit-down")};

  InputMoments moments() const {
    const Tensor wide = x.to(at::kDouble), z = wide.matmul(factors.down.to(at::kDouble).t());
    return {wide.t().matmul(z), xq.to(at::kDouble).t().matmul(z), z.t().matmul(z)};
  }
  double error(const Tensor& up) const {
    const Tensor y = x.matmul(w.t()) - xq.matmul(q.t()) - x.matmul(factors.down.t()).matmul(up.t());
    return y.to(at::kDouble).square().sum().item<double>();
  }
};

TEST(RefittedUp, IsTheLeastSquaresSolutionToBf16) {
  const Refit r;
  const Tensor z = r.x.matmul(r.factors.down.t()).to(at::kDouble),
               target = (r.x.matmul(r.w.t()) - r.xq.matmul(r.q.t())).to(at::kDouble);
  const Tensor exact = at::linalg_solve(z.t().matmul(z), z.t().matmul(target)).t();
  const Tensor up = refitted_up(r.w, r.q, r.factors, r.moments());
  testing::expect_close(up, exact.to(at::kFloat), 5e-3);
  expect_identical(up, up.to(at::kBFloat16).to(at::kFloat));
  EXPECT_TRUE(r.error(up) < 0.5 * r.error(r.factors.up));
  for (int i = 0; i < 10; ++i) {
    const Tensor other = up * (1 + 0.1 * testing::random_tensor({48, 3}, concat("refit-other-", i)));
    EXPECT_TRUE(r.error(up) < r.error(other)) << i;
  }
}

TEST(RefittedUp, WithoutAnyInputTheFactorStays) {
  Refit r;
  r.x.zero_();
  r.xq.zero_();
  expect_identical(refitted_up(r.w, r.q, r.factors, r.moments()), r.factors.up);
}

TEST(Drivers, RefitLowersTheError) {
  for (const char* name : {"svdquant", "lorc"}) {
    Example s;
    s.problem.rank = 6;
    // Channels of unequal energy, which the branch of the weights alone does not know about.
    const Tensor channel = at::logspace(-1, 1, 128);
    s.problem.score = [&](const std::vector<QuantizedTensor>& low_bit, const LowRankFactors& f) {
      const Tensor w = dequantize_members(low_bit) + f.up.matmul(f.down);
      return ((s.stacked() - w) * channel).square().sum().item<double>();
    };
    s.problem.moments = [&](const Tensor& down) {
      const Tensor d = down.to(at::kDouble), input = (d * channel.to(at::kDouble).square()).t();
      return InputMoments{.input = input, .quantized = input, .latent = d.matmul(input)};
    };
    const double plain = driver(name)->drive(s.problem).errors[0],
                 refitted = driver(name, "{refit: true}")->drive(s.problem).errors[0];
    EXPECT_TRUE(refitted < 0.999 * plain) << name << ": " << refitted << " " << plain;
    EXPECT_TRUE(driver(name, "{refit: true}")->needs_score());
  }
}

TEST(SvdquantDriver, RoundsStartFromTheBasisOfTheLastOne) {
  class Recorder final : public LowRankSolver {
   public:
    explicit Recorder(const LowRankSolver& inner) : inner_(inner) {}
    using LowRankSolver::solve;
    LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor& start) const override {
      starts.push_back(start);
      LowRankFactors f = inner_.solve(m, rank, start);
      given.push_back(f.basis);
      return f;
    }
    mutable std::vector<Tensor> starts, given;

   private:
    const LowRankSolver& inner_;
  };
  Example s;
  s.problem.rank = 6;
  const Recorder recorder(*s.problem.solver);
  s.problem.solver = &recorder;
  s.problem.start = at::ones({144, 2});
  driver("svdquant", "{iterations: 3, early_stop: false}")->drive(s.problem);
  ASSERT_EQ(recorder.starts.size(), 3u);
  EXPECT_TRUE(recorder.starts[0].is_same(s.problem.start));
  for (size_t t = 1; t < 3; ++t) EXPECT_TRUE(recorder.starts[t].is_same(recorder.given[t - 1]));
}

}  // namespace
}  // namespace svdlab
