#include "eval/latent_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "eval/clip_score.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::TempDir;
using testing::throws_error;

TEST(LatentMetrics, KnownRatiosForEachStepAndTheEnd) {
  const Tensor x = random_tensor({3, 4, 2}, "x");
  const Tensor y = x + x * at::tensor({0.0f, 0.01f, 0.1f}).view({3, 1, 1});
  const Measurements m = measure_latents({{"a", x, y}, {"b", x, x * 1.1}}, "ref");
  ASSERT_EQ(m.values.size(), 5u);
  EXPECT_EQ(m.values[0].metric, "latent_sqnr");
  EXPECT_NEAR(m.values[0].interval.value, 20, 1e-4);
  EXPECT_EQ(m.values[0].interval.n, 2);
  EXPECT_EQ(m.values[0].compared_with, "ref");
  EXPECT_NEAR(m.values[1].interval.value, 20, 1e-4);
  EXPECT_NEAR(m.values[2].interval.value, 0.1, 1e-6);
  EXPECT_EQ(m.values[3].metric, "trajectory_sqnr_1");
  EXPECT_NEAR(m.values[3].interval.value, 30, 1e-3);
  EXPECT_NEAR(m.values[4].interval.value, 20, 1e-4);
}

TEST(LatentMetrics, FoldersPairByName) {
  const TempDir dir;
  const std::string a = dir.file("a"), b = dir.file("b");
  make_directories(a), make_directories(b);
  const Tensor x = random_tensor({1, 4, 2}, "x");
  const auto save = [&](const std::string& path, const Tensor& t, const char* name = "latents") {
    save_safetensors(path, {{.name = name, .tensor = t}});
  };
  save(a + "/i.safetensors", x), save(b + "/i.safetensors", x * 2);
  const auto pairs = load_latent_pairs(a, b);
  ASSERT_EQ(pairs.size(), 1u);
  const Measurements m = measure_latents(pairs, a);
  EXPECT_NEAR(m.values[0].interval.value, 0, 1e-6);
  EXPECT_NE(m.notes.at(0).find("last step alone"), std::string::npos);
  save(b + "/j.safetensors", x);
  EXPECT_TRUE(
      throws_error([&] { load_latent_pairs(a, b); }, Errc::kInput, {"1 of its files", "j.safetensors"}));
  EXPECT_EQ(load_latent_pairs(a, b, true).size(), 1u);
  save(b + "/i.safetensors", x, "other");
  EXPECT_TRUE(throws_error([&] { load_latent_pairs(a, b, true); }, Errc::kInput,
                           {"i.safetensors", "no tensor latents"}));
}

TEST(LatentMetrics, Refusals) {
  const Tensor x = random_tensor({1, 4, 2}, "x");
  EXPECT_TRUE(throws_error([] { measure_latents({}, "ref"); }, Errc::kInput, {"ref"}));
  EXPECT_TRUE(throws_error(
      [&] {
        measure_latents({{"a", x, x[0]}}, "r");
      },
      Errc::kInput, {"a: ", "[1, 4, 2]", "[4, 2]"}));
  EXPECT_TRUE(throws_error(
      [&] {
        measure_latents({{"a", x, x}, {"b", at::cat({x, x}), x}}, "r");
      },
      Errc::kInput, {"b: ", "[2, 4, 2]"}));
  EXPECT_TRUE(throws_error(
      [&] {
        measure_latents({{"a", x, x * std::nan("")}}, "r");
      },
      Errc::kInput, {"a: ", "not finite"}));
}

TEST(ClipScore, IsTheCosineInPercentAndNotNegative) {
  const Tensor a = at::tensor({1.0f, 0.0f, 3.0f, 4.0f, 1.0f, 0.0f}).view({3, 2});
  const Tensor b = at::tensor({2.0f, 0.0f, 0.0f, 5.0f, -1.0f, 0.0f}).view({3, 2});
  const std::vector<double> s = clip_scores(a, b);
  ASSERT_EQ(s.size(), 3u);
  EXPECT_NEAR(s[0], 100, 1e-9);
  EXPECT_NEAR(s[1], 80, 1e-5);
  EXPECT_EQ(s[2], 0);
  EXPECT_TRUE(throws_error([&] { clip_scores(a, b.slice(0, 0, 2)); }, Errc::kInput, {"[3, 2]", "[2, 2]"}));
  EXPECT_TRUE(throws_error([&] { clip_scores(a, b * 0); }, Errc::kInput, {"row 0", "not finite or 0"}));
}

}  // namespace
}  // namespace svdlab
