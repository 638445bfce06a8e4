#include <gtest/gtest.h>

#include <cmath>

#include "core/io/safetensors.h"
#include "experiments/sampling/latents.h"
#include "experiments/sampling/sampler.h"
#include "experiments/sampling/schedule.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

TEST(Schedule, IsFluxShiftedEulerGrid) {
  const std::vector<double> s = flux_sigmas(4, 256);  // mu = 0.5
  ASSERT_EQ(s.size(), 5u);
  EXPECT_EQ(s.front(), 1.0);
  EXPECT_EQ(s.back(), 0.0);
  EXPECT_NEAR(s[2], std::exp(0.5) / (std::exp(0.5) + 1.0), 1e-12);
  EXPECT_NEAR(flux_sigmas(2, 4096)[1], std::exp(1.15) / (std::exp(1.15) + 1.0), 1e-12);
  EXPECT_TRUE(testing::throws_error([] { flux_sigmas(0, 256); }, Errc::kConfig, {"steps is 0"}));
}

TEST(Latents, PackAndUnpackAreInverse) {
  const Tensor images = testing::random_tensor({2, 3, 4, 6}, "images");
  const Tensor tokens = pack_latents(images);
  EXPECT_EQ(tokens.sizes(), at::IntArrayRef({2, 6, 12}));
  testing::expect_identical(unpack_latents(tokens, 4, 6), images);
  // Token 1 is the patch of rows 0-1, columns 2-3; its channels are (c, row, column), c slowest.
  EXPECT_EQ(tokens[1][1][4 + 2 * 1 + 0].item<float>(), images[1][1][1][2].item<float>());
  EXPECT_TRUE(testing::throws_error([&] { unpack_latents(tokens, 4, 4); }, Errc::kInput, {"6 tokens"}));
}

TEST(Latents, NoiseBelongsToSeedAndName) {
  const Tensor a = item_noise(1, "cat", 256, 12);
  testing::expect_identical(item_noise(1, "cat", 256, 12), a);
  EXPECT_FALSE(at::equal(item_noise(2, "cat", 256, 12), a));
  EXPECT_FALSE(at::equal(item_noise(1, "dog", 256, 12), a));
  EXPECT_NEAR(a.mean().item<double>(), 0.0, 0.06);
  EXPECT_NEAR(a.std().item<double>(), 1.0, 0.05);
}

TEST(Latents, PixelsRoundAndClamp) {
  const Tensor pixels = at::tensor(std::vector<float>{-2, -1, 0, 1, 2, 0.5}).view({3, 1, 2});
  EXPECT_EQ(to_image(pixels).rgb, (std::vector<uint8_t>{0, 128, 255, 0, 255, 191}));
}

class RandomModelSampling : public testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(folder_.path());
    model_ = load_model(folder_.path());
    facts_ = load_sampling_facts(folder_.path());
    items_ = class_items(model_, load_conditioning(folder_.path()), facts_, "item", 3, 0);
  }
  testing::TempDir folder_;
  Model model_;
  SamplingFacts facts_;
  std::vector<SampleItem> items_;
};

TEST_F(RandomModelSampling, ThreadsChangeNothing) {
  const Executor executor(model_.graph);
  SamplerOptions options{.steps = 2, .guidance = 1.0, .facts = facts_};
  const Sampler sampler(executor, model_, options);
  const auto one = run_items(sampler, items_, 1), two = run_items(sampler, items_, 2);
  for (size_t i = 0; i < items_.size(); ++i) {
    ASSERT_EQ(one[i].latents.size(), 3u);
    testing::expect_identical(two[i].latents.back(), one[i].latents.back());
  }
}

TEST_F(RandomModelSampling, ItemsComeFromAFileToo) {
  std::vector<StWrite> tensors;
  for (const SampleItem& item : items_) {
    tensors.push_back({.name = item.name + ".latents", .tensor = item.latents[0]});
    tensors.push_back({.name = item.name + ".tokens", .tensor = item.tokens[0]});
    tensors.push_back({.name = item.name + ".pooled", .tensor = item.pooled[0]});
  }
  save_safetensors(folder_.file("items.st"), tensors);
  const auto read = file_items(model_, folder_.file("items.st"));
  ASSERT_EQ(read.size(), items_.size());
  EXPECT_EQ(read[0].name, items_[0].name);
  testing::expect_identical(read[0].latents, items_[0].latents);
  tensors.pop_back();
  save_safetensors(folder_.file("short.st"), tensors);
  EXPECT_TRUE(testing::throws_error([&] { file_items(model_, folder_.file("short.st")); }, Errc::kInput,
                                    {items_.back().name + ".pooled", "missing"}));
}

}  // namespace
}  // namespace svdlab
