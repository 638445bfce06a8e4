#include "eval/lpips.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

const std::string kData = SVDLAB_SOURCE_DIR "/../shared/data/";
const std::string kLpips = kData + "weights/lpips_squeeze.safetensors";

// Skips the test, naming the file, when it is absent.
#define REQUIRE_FILE(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is absent"

Value expected(const char* part) { return *load_yaml(kData + "expected.json").find(part); }

// torch.rand on the CPU: the low 24 bits of each word of MT19937.
Tensor torch_rand(std::mt19937& words, at::IntArrayRef shape) {
  Tensor out = at::empty(shape, at::kFloat);
  for (int64_t i = 0; i < out.numel(); ++i)
    out.data_ptr<float>()[i] = static_cast<float>(words() & 0xFFFFFF) * 0x1p-24f;
  return out;
}

TEST(Lpips, AgreesWithTorchmetricsOnItsRandomPictures) {
  REQUIRE_FILE(kLpips);
  const Lpips lpips(kLpips, LpipsNormalise::kTorchmetrics);
  std::mt19937 words(42);
  const Tensor a = torch_rand(words, {2, 3, 100, 100}) * 2 - 1;
  const Tensor b = torch_rand(words, {2, 3, 100, 100}) * 2 - 1;
  const Value golden = expected("lpips_squeeze");
  for (int i = 0; i < 2; ++i) {
    const double value = golden.find("per_image_2x3x100x100")->items[i].as_number("distance");
    const double distance = lpips.distance(a.slice(0, i, i + 1), b.slice(0, i, i + 1));
    EXPECT_TRUE(std::abs(distance - value) <= 2e-7) << i << ": " << distance;
  }
}

TEST(Lpips, DistancesOfTheExamplePictures) {
  REQUIRE_FILE(kLpips);
  const std::string folder = kData + "lpips/";
  for (const char* name : {"ex_ref.png", "ex_p0.png", "ex_p1.png"}) REQUIRE_FILE(folder + name);
  const Lpips lpips(kLpips);
  const Image reference = read_png(folder + "ex_ref.png");
  const Value golden = expected("lpips_squeeze");
  for (const std::string other : {"ex_p0", "ex_p1"}) {
    const double value = golden.find("ex_ref_vs_" + other)->as_number(other);
    const double distance = lpips.distance(reference, read_png(folder + other + ".png"));
    EXPECT_TRUE(std::abs(distance - value) <= 1e-6) << other << ": " << distance;
  }
  EXPECT_EQ(lpips.distance(reference, reference), 0.0);
}

Value golden() { return load_yaml(SVDLAB_SOURCE_DIR "/tests/golden/lpips.json"); }

// A pair of make_lpips.py: from nearly equal pictures to noise.
std::pair<Tensor, Tensor> golden_pair(int seed, int pairs, int64_t side) {
  std::mt19937 words(static_cast<uint32_t>(seed));
  const Tensor a = torch_rand(words, {1, 3, side, side}), b = torch_rand(words, {1, 3, side, side});
  const double t = static_cast<double>(seed + 1) / pairs;
  return {a * 2 - 1, (a * (1 - t) + b * t) * 2 - 1};
}

TEST(Lpips, AgreesWithTorchmetricsAndThePackageOnRandomPairs) {
  REQUIRE_FILE(kLpips);
  const Value lists = golden();
  for (const auto& [list, normalise] : {std::pair("squeeze_lpips", LpipsNormalise::kLpipsPackage),
                                        std::pair("squeeze_torchmetrics", LpipsNormalise::kTorchmetrics)}) {
    const Lpips lpips(kLpips, normalise);
    const Value& values = *lists.find(list);
    ASSERT_EQ(values.items.size(), 64u);
    for (int i = 0; i < 64; ++i) {
      const auto [a, b] = golden_pair(i, 64, 40);
      const double value = values.items[i].as_number(list), distance = lpips.distance(a, b);
      EXPECT_TRUE(std::abs(distance - value) <= 1e-6) << list << " " << i << ": " << distance << " " << value;
    }
  }
}

// The random AlexNet of make_lpips.py; tensors in the order of their names.
void write_random_alexnet(const std::string& path) {
  const std::vector<std::pair<std::string, std::vector<int64_t>>> tensors = {
      {"features.0.bias", {64}},
      {"features.0.weight", {64, 3, 11, 11}},
      {"features.10.bias", {256}},
      {"features.10.weight", {256, 256, 3, 3}},
      {"features.3.bias", {192}},
      {"features.3.weight", {192, 64, 5, 5}},
      {"features.6.bias", {384}},
      {"features.6.weight", {384, 192, 3, 3}},
      {"features.8.bias", {256}},
      {"features.8.weight", {256, 384, 3, 3}},
      {"v0.1.lin0.model.1.weight", {1, 64, 1, 1}},
      {"v0.1.lin1.model.1.weight", {1, 192, 1, 1}},
      {"v0.1.lin2.model.1.weight", {1, 384, 1, 1}},
      {"v0.1.lin3.model.1.weight", {1, 256, 1, 1}},
      {"v0.1.lin4.model.1.weight", {1, 256, 1, 1}}};
  std::mt19937 words(7);
  std::vector<StWrite> out;
  for (const auto& [name, shape] : tensors) {
    const Tensor value = torch_rand(words, shape);
    const bool small = name.ends_with(".bias") || name.starts_with("v0.1");
    out.push_back({name, small ? value * 0.1
                               : (value - 0.5) * (2.0 / std::sqrt(static_cast<double>(value[0].numel())))});
  }
  save_safetensors(path, out);
}

TEST(Lpips, OverAlexNetAgreesWithThePackage) {
  const TempDir dir;
  write_random_alexnet(dir.file("alex.safetensors"));
  const Lpips lpips(dir.file("alex.safetensors"));
  EXPECT_EQ(lpips.name(), "lpips 0.1 alex");
  const Value values = *golden().find("alex_random_lpips");
  ASSERT_EQ(values.items.size(), 4u);
  for (int i = 0; i < 4; ++i) {
    const auto [a, b] = golden_pair(i, 4, 70);
    const double value = values.items[i].as_number("distance"), distance = lpips.distance(a, b);
    EXPECT_TRUE(std::abs(distance - value) <= 1e-6) << i << ": " << distance << " " << value;
  }
  const auto zeros = [](int64_t h, int64_t w) { return at::zeros({1, 3, h, w}); };
  EXPECT_EQ(lpips.distance(zeros(31, 31), zeros(31, 31)), 0.0);
  EXPECT_TRUE(throws_error([&] { lpips.distance(zeros(30, 40), zeros(30, 40)); }, Errc::kInput,
                           {"[1, 3, 30, 40]", "alexnet", "at least 31"}));
  EXPECT_TRUE(lpips.takes(31, 40) && !lpips.takes(30, 40));
}

TEST(Lpips, RefusesOtherNetworks) {
  const TempDir dir;
  save_safetensors(dir.file("x.safetensors"), {{.name = "a", .tensor = at::ones({1})}});
  EXPECT_TRUE(throws_error([&] { Lpips(dir.file("x.safetensors")); }, Errc::kInput,
                           {"x.safetensors", "features.10.weight", "export_lpips.py"}));
}

TEST(Lpips, RefusesPicturesItCannotCompare) {
  REQUIRE_FILE(kLpips);
  const Lpips lpips(kLpips);
  const auto zeros = [](int64_t h, int64_t w) { return at::zeros({1, 3, h, w}); };
  EXPECT_EQ(lpips.distance(zeros(17, 17), zeros(17, 17)), 0.0);
  EXPECT_TRUE(throws_error([&] { lpips.distance(zeros(16, 40), zeros(16, 40)); }, Errc::kInput,
                           {"[1, 3, 16, 40]", "at least 17"}));
  EXPECT_TRUE(throws_error([&] { lpips.distance(zeros(17, 18), zeros(18, 17)); }, Errc::kInput,
                           {"17, 18", "18, 17"}));
}

}  // namespace
}  // namespace svdlab
