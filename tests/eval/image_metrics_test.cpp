#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/io/yaml.h"
#include "eval/psnr.h"
#include "eval/ssim.h"
#include "tests/eval/pattern.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

Image flat(int width, int height, uint8_t v) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height), v)};
}

TEST(Psnr, KnownValues) {
  EXPECT_NEAR(psnr_of(5.0, 3.0), 2.552725051,
              1e-9);  // [[0,1],[2,3]] against [[3,2],[1,0]]: the torchmetrics doctest
  EXPECT_NEAR(psnr(flat(4, 4, 0), flat(4, 4, 255)), 0.0, 1e-12);
  EXPECT_NEAR(psnr(flat(4, 4, 100), flat(4, 4, 101)), 20 * std::log10(255.0), 1e-12);
  EXPECT_EQ(psnr(flat(4, 4, 9), flat(4, 4, 9)), std::numeric_limits<double>::infinity());
}

TEST(Psnr, MeanAndPooledAreDifferentNumbers) {
  const std::vector<Image> a = {flat(2, 2, 0), flat(2, 2, 0)}, b = {flat(2, 2, 1), flat(2, 2, 10)};
  const double one = 20 * std::log10(255.0);
  EXPECT_NEAR(psnr_mean(a, b), one - 10, 1e-12);
  EXPECT_NEAR(psnr_pooled(a, b), one - 10 * std::log10(101 / 2.0), 1e-12);
  EXPECT_LT(psnr_pooled(a, b), psnr_mean(a, b));
  const std::vector<Image> large = {flat(2, 2, 0), flat(6, 2, 0)}, other = {flat(2, 2, 1), flat(6, 2, 10)};
  EXPECT_NEAR(psnr_pooled(large, other), one - 10 * std::log10((1 + 3 * 100) / 4.0), 1e-12);
}

TEST(Psnr, Refusals) {
  EXPECT_TRUE(throws_error([] { psnr(flat(2, 3, 0), flat(3, 2, 0)); }, Errc::kInput, {"2 x 3", "3 x 2"}));
  EXPECT_TRUE(throws_error([] { psnr({}, {}); }, Errc::kInput, {"0 x 0"}));
  EXPECT_TRUE(throws_error([] { psnr_mean({}, {}); }, Errc::kInput, {"pairs"}));
  EXPECT_TRUE(throws_error([] { psnr_pooled({flat(1, 1, 0)}, {}); }, Errc::kInput, {"1 against 0"}));
}

TEST(Ssim, KnownValues) {
  const auto [a, b] = pattern(40, 32, 10);
  EXPECT_NEAR(ssim_tm(a, a), 1.0, 1e-12);
  EXPECT_NEAR(ssim_tm(a, b), ssim_tm(b, a), 1e-12);
  // Two flat images: only the luminance term remains.
  const double c1 = 2.55 * 2.55;
  EXPECT_NEAR(ssim_tm(flat(16, 16, 100), flat(16, 16, 50)), (2 * 5000 + c1) / (12500 + c1), 1e-9);
}

TEST(Ssim, OneBadPixelOfManyShows) {
  const auto [a, unused] = pattern(64, 64, 1);
  Image b = a;
  b.rgb[3 * (64 * 30 + 30)] ^= 0xFF;
  EXPECT_LT(ssim_tm(a, b), 1.0 - 1e-4);
  EXPECT_GT(ssim_tm(a, b), 0.9);
}

TEST(Ssim, Refusals) {
  EXPECT_TRUE(
      throws_error([] { ssim_tm(flat(5, 32, 0), flat(5, 32, 0)); }, Errc::kInput, {"5 x 32", "6 pixels"}));
  EXPECT_TRUE(throws_error([] { ssim_tm(flat(8, 9, 0), flat(9, 8, 0)); }, Errc::kInput, {"8 x 9", "9 x 8"}));
  EXPECT_TRUE(throws_error([] { ssim_tm({8, 8, {}}, {8, 8, {}}); }, Errc::kInput, {"0 bytes"}));
}

TEST(ImageMetrics, AgreeWithTorchmetrics) {
  const Value golden = load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/image_metrics.json");
  const Value& images = *golden.find("images");
  ASSERT_EQ(images.items.size(), 6u);
  for (const Value& v : images.items) {
    Fields f(v, "image");
    const auto size = [&](const char* key) { return static_cast<int>(f.integer(key, 0)); };
    const auto [a, b] = pattern(size("width"), size("height"), size("amplitude"));
    SCOPED_TRACE(v.canonical_json());
    const double ssim = f.number("ssim", 0), decibel = f.number("psnr", 0);
    EXPECT_TRUE(std::abs(ssim_tm(a, b) - ssim) <= 1e-10) << ssim_tm(a, b);
    // torchmetrics takes the logarithm of the range in float32 even for float64 images.
    EXPECT_TRUE(std::abs(psnr(a, b) - decibel) <= 1e-5) << psnr(a, b);
  }
}

TEST(ImageMetrics, OrderPhotographsAsTheEyeDoes) {
  const std::string folder = SVDLAB_SOURCE_DIR "/../shared/data/lpips/";
  const std::string reference = folder + "ex_ref.png";
  if (!std::filesystem::exists(reference)) GTEST_SKIP() << "ex_ref.png";
  const Image ref = read_png(reference);
  EXPECT_GT(ssim_tm(ref, ref), ssim_tm(ref, read_png(folder + "ex_p0.png")));
  EXPECT_TRUE(std::isfinite(psnr(ref, read_png(folder + "ex_p1.png"))));
}

}  // namespace
}  // namespace svdlab
