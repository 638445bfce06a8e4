#include "core/runtime/fused_linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/runtime/compressed_linear.h"
#include "core/runtime/fused_support.h"
#include "core/runtime/ops.h"
#include "core/runtime/weight_only_linear.h"
#include "tests/support/fused_problem.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::compressed_linear;
using testing::CompressedKind;
using testing::random_tensor;
using testing::relative_difference;
using testing::throws_error;

constexpr int64_t kTokens = 11;

LinearSpec spec_of(const std::string& name, int64_t out, int64_t in, std::vector<Segment> segments = {}) {
  if (segments.empty()) segments = {{0, in, Producer::kModulate}};
  return {.name = name,
          .weight = random_tensor({out, in}, name) / std::sqrt(1.0 * in),
          .bias = random_tensor({out}, name + ".bias"),
          .segments = std::move(segments)};
}

Tensor bf16(const Tensor& x) { return x.to(at::kBFloat16); }

/// The reference's output on the same bf16 input, rounded.
Tensor reference(const CompressedLinear& linear, const Tensor& x) {
  return bf16(run_compressed(linear, x.to(at::kFloat), Execution::kDequantized));
}

void expect_db(const Tensor& actual, const Tensor& expected, double least, const std::string& what) {
  const double db = -20 * std::log10(relative_difference(actual.to(at::kFloat), expected.to(at::kFloat)));
  EXPECT_TRUE(db >= least) << what << ": " << db << " dB";
}

class FusedLinearSchemes : public ::testing::TestWithParam<const char*> {};

TEST_P(FusedLinearSchemes, EqualsTheReferenceButForRounding) {
  for (const int64_t rank : {0, 8, 32})
    for (const bool smooth : {false, true}) {
      const CompressedLinear linear =
          compressed_linear(spec_of("layer", 72, 256), {GetParam(), rank, smooth}, "group");
      ASSERT_EQ(why_not_fused(linear, 90), "");
      const Tensor x = bf16(random_tensor({kTokens, 256}, "x"));
      expect_db(FusedLinear({{&linear}}, {}).run(x), reference(linear, x), 58,
                concat(GetParam(), " rank ", rank, smooth ? " smooth" : ""));
    }
}

INSTANTIATE_TEST_SUITE_P(Served, FusedLinearSchemes,
                         ::testing::Values("int4", "nvfp4", "w8a8", "w4a8-int4-g64"));

TEST(FusedLinear, SegmentsBehindAttentionAndGelu) {
  const std::vector<Segment> segments = {{0, 256, Producer::kAttention}, {256, 768, Producer::kGelu}};
  for (const char* scheme : {"int4", "nvfp4"}) {
    const CompressedLinear linear = compressed_linear(spec_of("out", 64, 768, segments), {scheme}, "group");
    const Tensor attention = bf16(random_tensor({kTokens, 256}, "a")),
                 up = bf16(random_tensor({kTokens, 512}, "u"));
    const Tensor behind = bf16(at::gelu(up.to(at::kFloat), "tanh"));
    const Tensor joined = at::cat({attention, behind}, 1);
    const FusedLinear fused({{&linear}}, {});
    expect_db(fused.run(joined), reference(linear, joined), 58, scheme);
    const FusedInput parts = fused.quantize({{attention}, {up, InputStep::kGelu}});
    expect_db(fused.multiply(0, parts), fused.run(joined), 50, "GELU fused");
  }
}

TEST(FusedLinear, OneInputServesProductsWithFactorsOfTheirOwn) {
  const LinearSpec q = spec_of("q", 64, 256), k = spec_of("k", 72, 256), up = spec_of("up", 128, 256);
  for (const char* scheme : {"int4", "nvfp4"}) {
    const CompressedKind kind{scheme};
    const CompressedLinear cq = compressed_linear(q, kind, "g"), ck = compressed_linear(k, kind, "g");
    CompressedLinear other = compressed_linear(up, {scheme, 16}, "g");
    EXPECT_EQ(fused_rank({&cq, &ck}), 16) << "a shared factor of rank 8 counts once";
    EXPECT_EQ(fused_rank({&cq, &other}), 32);
    const FusedLinear fused({{&cq, &ck}, {&other}}, {});
    const Tensor x = bf16(random_tensor({kTokens, 256}, "x"));
    const FusedInput input = fused.quantize({{x}});
    const Tensor both = fused.multiply(0, input);
    expect_db(both.slice(1, 0, 64), reference(cq, x), 58, "q");
    expect_db(both.slice(1, 64), reference(ck, x), 58, "k");
    expect_db(fused.multiply(1, input), reference(other, x), 58, "up");
  }
}

TEST(FusedLinear, NormBeforeAndHeadsBehind) {
  const CompressedLinear linear = compressed_linear(spec_of("qkv", 3 * 2 * 64, 256), {"int4"}, "g");
  const FusedLinear fused({{&linear}}, {});
  const Tensor x = bf16(random_tensor({kTokens, 256}, "x")), scale = bf16(random_tensor({256}, "s")),
               shift = bf16(random_tensor({256}, "h"));
  const auto f = [](const Tensor& t) { return t.to(at::kFloat); };
  const Tensor normal = f(bf16(at::layer_norm(f(x), {256}, {}, {}, 1e-6)));
  const Tensor modulated = bf16(normal * f(bf16(f(scale) + 1)) + f(shift));
  const FusedInput input = fused.quantize({{x, InputStep::kLayerNormModulate, scale, shift, 1e-6}});
  expect_db(fused.multiply(0, input), reference(linear, modulated), 40, "behind the norm");

  const Tensor angle = random_tensor({kTokens, 32}, "angle");
  const FusedHeads heads{2,
                         64,
                         1 + 0.1 * random_tensor({64}, "q"),
                         1 + 0.1 * random_tensor({64}, "k"),
                         1e-6,
                         at::stack({angle.cos(), angle.sin()}, -1)};
  const Tensor plain = f(fused.multiply(0, input)).view({kTokens, 3, 2, 64});
  const Tensor turned = f(fused.multiply(0, input, {}, &heads)).view({kTokens, 3, 2, 64});
  for (int64_t part = 0; part < 2; ++part) {
    const Tensor head = plain.select(1, part);
    const Tensor n = f(bf16(head * at::rsqrt(head.square().mean(-1, true) + 1e-6) *
                            (part == 0 ? heads.query_weight : heads.key_weight)));
    const Tensor n0 = n.slice(2, 0, 64, 2), n1 = n.slice(2, 1, 64, 2);
    const Tensor c = angle.cos().unsqueeze(1), s = angle.sin().unsqueeze(1);
    expect_db(turned.select(1, part), at::stack({n0 * c - n1 * s, n0 * s + n1 * c}, -1).flatten(2), 50,
              concat("part ", part));
  }
  testing::expect_identical(turned.select(1, 2), plain.select(1, 2));
}

TEST(WeightOnlyLinear, EqualsTheReferenceButForRounding) {
  for (const char* scheme : {"w4a16-int4-g64", "w4a16-nf4-g64"})
    for (const int64_t rank : {0, 8}) {
      const CompressedLinear linear = compressed_linear(spec_of("ada", 72, 256), {scheme, rank}, "group");
      ASSERT_EQ(why_not_fused(linear, 90), "");
      const Tensor x = bf16(random_tensor({3, 256}, "x"));
      expect_db(WeightOnlyLinear(linear, {}).run(x), reference(linear, x), 58, scheme);
    }
}

TEST(FusedSupport, SaysWhyNot) {
  const LinearSpec spec = spec_of("layer", 64, 256);
  const auto reason = [](const CompressedLinear& linear) { return why_not_fused(linear, 90); };
  const auto expect_reason = [&](const CompressedLinear& linear, const std::string& part) {
    EXPECT_NE(reason(linear).find(part), std::string::npos) << reason(linear);
  };
  CompressedLinear rotated = compressed_linear(spec, {"int4"}, "g");
  rotated.then.emplace_back(Hadamard{0, 256, 64, {}});
  expect_reason(rotated, "more than a division: 1 further");
  CompressedLinear sparse = compressed_linear(spec, {"int4"}, "g");
  sparse.branches.emplace_back(SparseBranch{});
  expect_reason(sparse, "sparse");
  CompressedLinear fixed = compressed_linear(spec, {"w8a8"}, "g");
  std::get<LowBitBranch>(fixed.branches.back()).activations->range = Range::kStatic;
  expect_reason(fixed, "static ranges");
  expect_reason(compressed_linear(spec, {"mxfp4"}, "g"), "groups of 32");
  expect_reason(compressed_linear(spec, {"int4", 136}, "g"), "rank padded to 144");
  expect_reason(compressed_linear(spec_of("odd", 60, 256), {"int4"}, "g"), "60 x 256");
  const std::vector<Segment> halves = {{0, 128, Producer::kAttention}, {128, 256, Producer::kGelu}};
  expect_reason(compressed_linear(spec_of("cut", 64, 256, halves), {"w8a8"}, "g"), "each of 2 segments");
  expect_reason(compressed_linear(spec_of("cut", 64, 256, halves), {"nvfp4"}, "g"), "column 128");
  const std::vector<Segment> turned = {{0, 128, Producer::kGelu}, {128, 256, Producer::kAttention}};
  expect_reason(compressed_linear(spec_of("cut", 64, 256, turned), {"int4"}, "g"), "signed behind unsigned");
  const CompressedLinear a = compressed_linear(spec, {"int4"}, "g"),
                         b = compressed_linear(spec, {"int4"}, "h");
  EXPECT_NE(why_not_shared(a, b).find("smoothing"), std::string::npos);
  EXPECT_TRUE(throws_error([&] { FusedLinear({{&a}, {&b}}, {}); }, Errc::kConfig, {"smoothing"}));
}

}  // namespace
}  // namespace svdlab
