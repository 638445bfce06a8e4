#include <gtest/gtest.h>

#include <cmath>

#include "core/io/yaml.h"
#include "eval/ms_ssim.h"
#include "eval/ssim.h"
#include "eval/ssim_gaussian.h"
#include "eval/ssim_sk.h"
#include "tests/eval/pattern.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

Image flat(int width, int height, uint8_t v) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height), v)};
}

// Every row of `list` in the golden file: metric(pattern) against the number under the list's own name.
void expect_golden(const char* list, size_t rows, double (*metric)(const Image&, const Image&)) {
  const Value golden = load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/folder_metrics.json");
  const Value& cases = *golden.find(list);
  ASSERT_EQ(cases.items.size(), rows);
  for (const Value& v : cases.items) {
    Fields f(v, "case");
    const auto size = [&](const char* key) { return static_cast<int>(f.integer(key, 0)); };
    const auto [a, b] = pattern(size("width"), size("height"), size("amplitude"));
    const double difference = std::abs(metric(a, b) - f.number(list, 0));
    EXPECT_TRUE(difference <= 1e-11) << v.canonical_json() << ": " << metric(a, b);
  }
}

TEST(SsimSk, AgreesWithScikitImage) { expect_golden("ssim_sk", 6, ssim_sk); }

// torchmetrics keeps the exponents in float32: 0.0448 is 1e-9 off there.
TEST(MsSsim, AgreesWithTorchmetrics) {
  const Value golden = load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/folder_metrics.json");
  ASSERT_EQ(golden.find("ms_ssim")->items.size(), 4u);
  for (const Value& v : golden.find("ms_ssim")->items) {
    Fields f(v, "case");
    const auto size = [&](const char* key) { return static_cast<int>(f.integer(key, 0)); };
    const auto [a, b] = pattern(size("width"), size("height"), size("amplitude"));
    const double difference = std::abs(ms_ssim(a, b) - f.number("ms_ssim", 0));
    EXPECT_TRUE(difference <= 1e-8) << v.canonical_json() << ": " << ms_ssim(a, b);
  }
}

TEST(SsimSk, KnownValues) {
  const auto [a, b] = pattern(40, 32, 10);
  EXPECT_NEAR(ssim_sk(a, a), 1.0, 1e-12);
  EXPECT_NEAR(ssim_sk(a, b), ssim_sk(b, a), 1e-12);
  EXPECT_GT(std::abs(ssim_sk(a, b) - ssim_tm(a, b)), 1e-4) << "another window is another number";
  const double c1 = 2.55 * 2.55;  // two flat images: only the luminance term remains
  EXPECT_NEAR(ssim_sk(flat(9, 8, 100), flat(9, 8, 50)), (2 * 5000 + c1) / (12500 + c1), 1e-12);
}

TEST(MsSsim, KnownValues) {
  const auto [a, b] = pattern(176, 176, 30);
  EXPECT_NEAR(ms_ssim(a, a), 1.0, 1e-12);
  EXPECT_NEAR(ms_ssim(a, b), ms_ssim(b, a), 1e-12);
  const double c1 = 2.55 * 2.55;  // two flat images: the last scale's luminance remains
  EXPECT_NEAR(ms_ssim(flat(176, 176, 100), flat(176, 176, 50)),
              std::pow((2 * 5000 + c1) / (12500 + c1), 0.1333), 1e-9);
  Image negative = a;
  for (uint8_t& v : negative.rgb) v = static_cast<uint8_t>(255 - v);
  EXPECT_EQ(ms_ssim(a, negative), 0.0) << "a negative scale counts as 0";
}

TEST(MsSsim, BothAtOnceAreTheSameBits) {
  const auto [a, b] = pattern(177, 190, 30);
  EXPECT_EQ(ssim_scales(a, b).ssim_tm, ssim_tm(a, b));
  EXPECT_EQ(ssim_scales(a, b).ms_ssim, ms_ssim(a, b));
}

TEST(SsimGaussian, InsideIsWhereTheWindowNeedsNoBorder) {
  const Plane plane = plane_of(flat(20, 13, 7), 0);
  const SsimSums sums = gaussian_ssim_sums(plane, plane);
  EXPECT_EQ(sums.contrast_pixels, 10 * 3);
  EXPECT_NEAR(sums.contrast_inside, 30, 1e-9);
  EXPECT_NEAR(sums.similarity, 260, 1e-9);
}

TEST(MoreSsim, Refusals) {
  EXPECT_TRUE(
      throws_error([] { ssim_sk(flat(6, 32, 0), flat(6, 32, 0)); }, Errc::kInput, {"6 x 32", "7 pixels"}));
  EXPECT_TRUE(throws_error([] { ssim_sk(flat(8, 9, 0), flat(9, 8, 0)); }, Errc::kInput, {"8 x 9", "9 x 8"}));
  EXPECT_TRUE(throws_error([] { ssim_sk({8, 8, {}}, {8, 8, {}}); }, Errc::kInput, {"0 bytes"}));
  EXPECT_TRUE(throws_error([] { ms_ssim(flat(175, 200, 0), flat(175, 200, 0)); }, Errc::kInput,
                           {"MS-SSIM", "175 x 200", "176 pixels"}));
}

}  // namespace
}  // namespace svdlab
