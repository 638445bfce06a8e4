#include "core/runtime/fake_quantize.h"

#include <gtest/gtest.h>

#include <cfloat>

#include "core/base/error.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;
using testing::throws_error;

constexpr int64_t kTokens = 11, kChannels = 256;
const std::vector<Segment> kPlain = {{0, kChannels, Producer::kModulate}};
const std::vector<Segment> kAttentionAndGelu = {{0, 128, Producer::kAttention},
                                                {128, kChannels, Producer::kGelu}};

Tensor smooth_vector() {
  return random_tensor({kChannels}, "smooth").abs().add(0.2).to(at::kBFloat16).to(at::kFloat);
}

// (x + shift) / smooth in groups of 64, `top` codes upward and, signed, downward.
Tensor int4_formula(const Tensor& x, const Tensor& smooth, double shift) {
  const Tensor groups = ((x + shift) / smooth).view({x.size(0), -1, 64});
  const double top = shift == 0 ? 7 : 15;
  const Tensor amax = shift == 0 ? groups.abs().amax(2, true) : groups.amax(2, true).clamp_min(0);
  const Tensor scale = (amax / top).to(at::kBFloat16).to(at::kFloat);
  const Tensor codes = (groups / scale).round().clamp(shift == 0 ? -7 : 0, top) + 0.0;  // integers have no -0
  return (codes * scale).view(x.sizes()) - shift / smooth;
}

TEST(FakeQuantize, EqualsTheTensorFormulaOfInt4) {
  const Tensor x = random_tensor({kTokens, kChannels}, "x"), smooth = smooth_vector();
  expect_identical(fake_quantize(x, smooth, *scheme_named("int4").activations, kPlain),
                   int4_formula(x, smooth, 0));
}

TEST(FakeQuantize, GeluSegmentIsShiftedUnsignedAndOnlyThatOne) {
  const Tensor x = random_tensor({kTokens, kChannels}, "x").clamp_min(-0.17), smooth = smooth_vector();
  const Tensor y = fake_quantize(x, smooth, *scheme_named("int4").activations, kAttentionAndGelu);
  expect_identical(y.slice(1, 0, 128).contiguous(),
                   int4_formula(x.slice(1, 0, 128).contiguous(), smooth.slice(0, 0, 128), 0));
  expect_identical(y.slice(1, 128).contiguous(),
                   int4_formula(x.slice(1, 128).contiguous(), smooth.slice(0, 128), 0.171875));
  ActivationScheme unshifted = *scheme_named("int4").activations;
  unshifted.shift_after_gelu = false;
  expect_identical(fake_quantize(x, smooth, unshifted, kAttentionAndGelu), int4_formula(x, smooth, 0));
}

TEST(FakeQuantize, ShiftHalvesTheErrorBehindGelu) {
  const Tensor x = at::gelu(random_tensor({64, kChannels}, "gelu"));
  const std::vector<Segment> gelu = {{0, kChannels, Producer::kGelu}};
  ActivationScheme scheme = *scheme_named("int4").activations;
  const double shifted = (fake_quantize(x, {}, scheme, gelu) - x).norm().item<double>();
  scheme.shift_after_gelu = false;
  const double plain = (fake_quantize(x, {}, scheme, gelu) - x).norm().item<double>();
  EXPECT_LT(shifted, 0.6 * plain);
}

TEST(FakeQuantize, PerTokenScalesAreOnePerSegment) {
  Tensor x = random_tensor({kTokens, kChannels}, "int8");
  x.slice(1, 128).mul_(100);
  const Tensor y = fake_quantize(x, {}, *scheme_named("w8a8").activations, kAttentionAndGelu);
  for (const Segment& s : kAttentionAndGelu) {
    const Tensor part = x.slice(1, s.begin, s.end), scale = part.abs().amax(1, true) / 127;
    expect_identical(y.slice(1, s.begin, s.end).contiguous(),
                     ((part / scale).round().clamp(-127, 127) + 0.0) * scale);
  }
}

TEST(FakeQuantize, PerTensorScaleIsOnePerSegment) {
  Tensor x = random_tensor({kTokens, kChannels}, "static");
  x.slice(1, 128).mul_(100);
  ActivationScheme scheme = *scheme_named("w8a8").activations;
  scheme.tensor.grouping = Grouping::kTensor;
  const Tensor y = fake_quantize(x, {}, scheme, kAttentionAndGelu);
  for (const Segment& s : kAttentionAndGelu) {
    const Tensor part = x.slice(1, s.begin, s.end), scale = part.abs().max() / 127;
    expect_identical(y.slice(1, s.begin, s.end).contiguous(),
                     ((part / scale).round().clamp(-127, 127) + 0.0) * scale);
  }
}

TEST(FakeQuantize, EverySchemeApproximatesTheSmoothedInput) {
  const Tensor x = random_tensor({64, kChannels}, "all").clamp_min(-0.17), smooth = smooth_vector();
  for (const Scheme& scheme : built_in_schemes()) {
    if (!scheme.activations) continue;
    SCOPED_TRACE(scheme.name);
    const double tolerance = scheme.activations->tensor.format == NumberFormat::kInt8 ? 0.02 : 0.16;
    expect_close(fake_quantize(x, smooth, *scheme.activations, kAttentionAndGelu), x / smooth, tolerance);
    expect_close(fake_quantize(x, {}, *scheme.activations, kAttentionAndGelu), x, tolerance);
  }
}

TEST(FakeQuantize, TokensDoNotInfluenceEachOther) {
  const Tensor x = random_tensor({kTokens, kChannels}, "tokens"), smooth = smooth_vector();
  for (const Scheme& scheme : built_in_schemes()) {
    if (!scheme.activations) continue;
    const Tensor all = fake_quantize(x, smooth, *scheme.activations, kAttentionAndGelu);
    const Tensor alone = fake_quantize(x.slice(0, 3, 4), smooth, *scheme.activations, kAttentionAndGelu);
    expect_identical(all.slice(0, 3, 4).contiguous(), alone);
  }
}

TEST(FakeQuantize, RefusesWhatHasNoMeaning) {
  const Tensor x = random_tensor({kTokens, kChannels}, "refuse");
  const ActivationScheme int4 = *scheme_named("int4").activations;
  const auto refuses = [&](const ActivationScheme& scheme, const std::vector<Segment>& segments, Errc code,
                           const std::vector<std::string>& parts) {
    return throws_error([&] { fake_quantize(x, {}, scheme, segments); }, code, parts);
  };
  EXPECT_TRUE(refuses(int4, {}, Errc::kConfig, {"segments end at 0", "256"}));
  EXPECT_TRUE(refuses(int4, {{0, 64}, {128, 256}}, Errc::kConfig, {"[128, 256)", "64"}));
  EXPECT_TRUE(refuses(int4, {{0, 100}, {100, 256}}, Errc::kConfig, {"group 64", "100 columns"}));
  EXPECT_TRUE(refuses({scheme_named("nvfp4").activations->tensor, true}, kAttentionAndGelu, Errc::kConfig,
                      {"shift_after_gelu", "e2m1"}));
  EXPECT_TRUE(refuses({*scheme_named("nvfp4").weights, false}, kPlain, Errc::kConfig, {"two_level"}));
  EXPECT_TRUE(
      throws_error([&] { fake_quantize(x, at::ones({4}), int4, kPlain); }, Errc::kInput, {"[256]", "[4]"}));
  x[2][200] = INFINITY;
  EXPECT_TRUE(refuses(int4, kPlain, Errc::kInput, {"x(2, 200) = inf"}));
}

}  // namespace
}  // namespace svdlab
