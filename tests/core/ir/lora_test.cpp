#include "core/ir/lora.h"

#include <gtest/gtest.h>

#include "core/runtime/compressed_linear.h"
#include "tests/core/io/compressed_unit_samples.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_compressed;
using testing::random_tensor;
using testing::sharing_unit;
using testing::throws_error;

LoraDelta delta(const CompressedLinear& linear, int64_t rank, double scale, const std::string& name = "") {
  return {random_tensor({rank, linear.in_features()}, linear.name + name + "/A").to(at::kHalf),
          random_tensor({linear.out_features(), rank}, linear.name + name + "/B").to(at::kHalf), scale};
}

// What the adapter adds to x in fp64.
Tensor added(const LoraDelta& d, const Tensor& x) {
  return d.scale * x.to(at::kDouble).mm(d.down.to(at::kDouble).t()).mm(d.up.to(at::kDouble).t());
}

std::vector<CompressedLinear> linears_of(const CompressedUnit& unit) {
  std::vector<CompressedLinear> out;
  for (const UnitLinear& item : unit) out.push_back(item.linear);
  return out;
}

// ||what the attached linear adds - what the adapter is|| against the size of what is computed.
double excess(const CompressedLinear& base, const CompressedLinear& attached, const Tensor& want,
              const Tensor& x, Execution execution) {
  const Tensor y = run_compressed(base, x, execution).to(at::kDouble);
  const Tensor z = run_compressed(attached, x, execution).to(at::kDouble);
  return ((z - y - want).norm() / (y.norm() + want.norm())).item<double>();
}

TEST(Lora, AttachedLinearsAddTheAdapterToRounding) {
  for (const char* scheme : {"int4", "nvfp4", "w4a16-int4-g64"}) {
    const std::vector<CompressedLinear> base = linears_of(sharing_unit(scheme, scheme_named(scheme)));
    std::vector<CompressedLinear> attached = base;
    LoraDeltas deltas;
    deltas[base[0].name] = {delta(base[0], 8, 0.75), delta(base[0], 3, -0.3, "second")};
    deltas[base[2].name] = {delta(base[2], 16, 1.5)};
    append_lora(attached, deltas);
    const Tensor x = random_tensor({40, base[0].in_features()}, "x");
    for (const Execution execution : {Execution::kDequantized, Execution::kCodes})
      for (size_t i = 0; i < base.size(); ++i) {
        Tensor want = at::zeros({40, base[i].out_features()}, at::kDouble);
        for (const LoraDelta& d : deltas[base[i].name]) want = want + added(d, x);
        const double e = excess(base[i], attached[i], want, x, execution);
        EXPECT_TRUE(e <= 5e-7) << scheme << ' ' << base[i].name << ": " << e;
      }
  }
}

TEST(Lora, LinearsThatShareADownFactorGoOnSharingIt) {
  const std::vector<CompressedLinear> base = linears_of(sharing_unit("s", scheme_named("int4")));
  std::vector<CompressedLinear> linears = base;
  append_lora(linears, {{base[0].name, {delta(base[0], 8, 1)}}});
  const LowRankBranch &q = *linears[0].low_rank(), &k = *linears[1].low_rank();
  EXPECT_TRUE(q.down.is_same(k.down));
  EXPECT_EQ(q.rank(), 4 + 8);
  EXPECT_EQ(q.sharers, 2);
  expect_identical(k.up.slice(1, 0, 4).contiguous(), base[1].low_rank()->up);
  EXPECT_EQ(k.up.slice(1, 4).abs().max().item<float>(), 0);
  testing::expect_identical_linears(linears[2], base[2]);
  expect_identical(q.down.slice(0, 4).contiguous(),
                   delta(base[0], 8, 1).down.to(at::kFloat) * base[0].smooth);
}

TEST(Lora, EqualDownFactorsAreStackedOnce) {
  std::vector<CompressedLinear> linears = linears_of(sharing_unit("e", scheme_named("int4")));
  const LoraDelta q = delta(linears[0], 8, 1);
  const LoraDelta k = {q.down.clone(), delta(linears[1], 8, 1).up, 2};
  const std::vector<CompressedLinear> base = linears;
  append_lora(linears, {{linears[0].name, {q}}, {linears[1].name, {k}}});
  EXPECT_EQ(linears[1].low_rank()->rank(), 4 + 8);
  const Tensor x = random_tensor({16, 128}, "x");
  EXPECT_LE(excess(base[1], linears[1], added(k, x), x, Execution::kDequantized), 5e-7);
}

TEST(Lora, ScaleZeroAndOtherNamesChangeNothing) {
  const std::vector<CompressedLinear> base = linears_of(sharing_unit("z", scheme_named("int4")));
  std::vector<CompressedLinear> linears = base;
  append_lora(linears, {{base[0].name, {delta(base[0], 8, 0)}}, {"another", {delta(base[0], 8, 1)}}});
  for (size_t i = 0; i < base.size(); ++i) testing::expect_identical_linears(linears[i], base[i]);
}

TEST(Lora, ALinearWithoutALowRankBranchGetsOne) {
  std::vector<CompressedLinear> linears = {random_compressed("plain", 24, 128, 0, scheme_named("int4"))};
  const std::vector<CompressedLinear> base = linears;
  const LoraDelta d = delta(linears[0], 5, 0.5);
  append_lora(linears, {{"plain", {d}}});
  ASSERT_NE(linears[0].low_rank(), nullptr);
  EXPECT_EQ(linears[0].low_rank()->rank(), 5);
  const Tensor x = random_tensor({16, 128}, "x");
  EXPECT_LE(excess(base[0], linears[0], added(d, x), x, Execution::kCodes), 5e-7);
  const Tensor effective = linears[0].effective_weight() - base[0].effective_weight();
  expect_close(effective, d.scale * d.up.to(at::kFloat).mm(d.down.to(at::kFloat)), 1e-5);
}

TEST(Lora, JoinsBehindTransformsThatMixChannelsAndAddConstants) {
  CompressedLinear linear = random_compressed("turned", 24, 128, 4, scheme_named("w4a16-int4-g64"));
  linear.then = {Offset{random_tensor({128}, "offset")}, Permute{at::randperm(128, at::kLong)},
                 Hadamard{.begin = 0, .end = 128, .size = 64}};
  std::vector<CompressedLinear> attached = {linear};
  const LoraDelta d = delta(linear, 8, 0.7);
  append_lora(attached, {{"turned", {d}}});
  const Tensor x = random_tensor({16, 128}, "x");
  const double e = excess(linear, attached[0], added(d, x), x, Execution::kDequantized);
  EXPECT_TRUE(e <= 2e-6) << e;
}

TEST(Lora, ShapesThatDoNotFitAreRefusedWithNumbers) {
  std::vector<CompressedLinear> linears = {random_compressed("plain", 24, 128, 0, scheme_named("int4"))};
  const LoraDelta wrong = {at::zeros({4, 64}), at::zeros({24, 4}), 1};
  EXPECT_TRUE(throws_error(
      [&] {
        append_lora(linears, {{"plain", {wrong}}});
      },
      Errc::kInput, {"plain", "24, 128", "[4, 64]"}));
  linears[0].branches.emplace_back(ColumnsBranch{at::arange(2), at::zeros({24, 2})});
  EXPECT_TRUE(throws_error(
      [&] {
        append_lora(linears, {{"plain", {delta(linears[0], 4, 1)}}});
      },
      Errc::kConfig, {"plain", "columns", "merge"}));
}

TEST(Lora, MergedWeightIsTheSum) {
  const Tensor w = random_tensor({24, 40}, "w").to(at::kBFloat16);
  const LoraDelta a = {random_tensor({4, 40}, "a"), random_tensor({24, 4}, "b"), 0.5};
  const LoraDelta b = {random_tensor({2, 40}, "c"), random_tensor({24, 2}, "d"), -2};
  const std::vector<LoraDelta> both = {a, b};
  const Tensor want = w.to(at::kDouble) + 0.5 * a.up.to(at::kDouble).mm(a.down.to(at::kDouble)) -
                      2 * b.up.to(at::kDouble).mm(b.down.to(at::kDouble));
  expect_close(merged_weight(w, both), want.to(at::kFloat), 1e-6);
  expect_identical(merged_weight(w, {}), w.to(at::kFloat));
}

}  // namespace
}  // namespace svdlab
