#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "eval/cifar_resnet.h"
#include "eval/frechet.h"
#include "eval/network_weights.h"
#include "eval/squeezenet.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

const std::string kData = SVDLAB_SOURCE_DIR "/../shared/data/";
const std::string kResNet = kData + "weights/resnet20-12fca82f.safetensors";
const std::string kShipped = SVDLAB_SOURCE_DIR "/notebooks_data/models/cifar-features/features.safetensors";
const std::string kLpips = kData + "weights/lpips_squeeze.safetensors";

// Skips the test, naming the file, when it is absent.
#define REQUIRE_FILE(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << (path) << " is absent"

Value expected(const char* part) { return *load_yaml(kData + "expected.json").find(part); }

Image cifar(const Image& batch, int row) {
  const auto begin = batch.rgb.begin() + static_cast<ptrdiff_t>(row) * 3072;
  return {32, 32, {begin, begin + 3072}};
}

Tensor all_features(const FeatureNetwork& network, const Image& batch, bool posterised = false) {
  std::vector<Tensor> rows;
  for (int i = 0; i < batch.height; ++i) {
    Image picture = cifar(batch, i);
    if (posterised)
      for (uint8_t& v : picture.rgb) v = static_cast<uint8_t>(v / 64 * 64 + 32);
    rows.push_back(network.features(picture).values);
  }
  return at::stack(rows);
}

TEST(CifarResNet, LogitsAndFeaturesOfTheFirstTestPicture) {
  const std::string file = kData + "cifar10/cifar10_batch_50.png";
  REQUIRE_FILE(kResNet);
  REQUIRE_FILE(file);
  const CifarResNet network(kResNet);
  const PictureFeatures f = network.features(cifar(read_png(file), 0));
  const Value golden = expected("resnet20");
  const Tensor logits = network.logits(f.values);
  ASSERT_EQ(golden.find("logits_test_image_0")->items.size(), 10u);
  for (int i = 0; i < 10; ++i) {
    const double value = golden.find("logits_test_image_0")->items[i].as_number("logit");
    EXPECT_TRUE(std::abs(logits[i].item<double>() - value) <= 1.5e-4) << i << ": " << logits[i];
  }
  ASSERT_EQ(golden.find("feature64_test_image_0_first8")->items.size(), 8u);
  for (int i = 0; i < 8; ++i) {
    const double value = golden.find("feature64_test_image_0_first8")->items[i].as_number("feature");
    EXPECT_TRUE(std::abs(f.values[i].item<double>() - value) <= 1.5e-5) << i << ": " << f.values[i];
  }
  EXPECT_EQ(f.label, 3);
}

TEST(CifarResNet, AccuracyAndFrechetDistancesOnCifar) {
  const std::string train = kData + "cifar10/cifar10_batch_0.png",
                    test = kData + "cifar10/cifar10_batch_50.png";
  const std::string labels_file = kData + "cifar10/labels.txt";
  REQUIRE_FILE(kResNet);
  for (const std::string& file : {train, test, labels_file}) REQUIRE_FILE(file);
  const CifarResNet network(kResNet);
  const Image batch = read_png(test);
  std::ifstream in(labels_file);
  const std::vector<int64_t> labels{std::istream_iterator<int64_t>(in), {}};
  ASSERT_EQ(labels.size(), 51000u);
  const Tensor features = all_features(network, batch);
  int64_t right = 0;
  for (int i = 0; i < batch.height; ++i)
    right += network.logits(features[i]).argmax().item<int64_t>() == labels[50000 + i];
  EXPECT_EQ(right, 915);
  const FeatureStats real = feature_stats(features);
  const auto distance = [&](const Tensor& other) { return frechet_distance(real, feature_stats(other)); };
  testing::expect_close(distance(all_features(network, read_png(train))), 0.31845891719645103, 1e-4);
  testing::expect_close(distance(all_features(network, batch, true)), 6.61971264006379, 1e-4);
}

TEST(SqueezeNet, FeaturesAreTheMeanOfTheLastTap) {
  REQUIRE_FILE(kLpips);
  const auto network = load_feature_network(kLpips);
  EXPECT_EQ(network->name(), "squeezenet1.1 512-d");
  const PictureFeatures f = network->features({40, 33, std::vector<uint8_t>(40 * 33 * 3, 90)});
  EXPECT_EQ(f.values.sizes(), at::IntArrayRef({512}));
  EXPECT_TRUE(at::isfinite(f.values).all().item<bool>());
  EXPECT_EQ(f.label, -1);
  EXPECT_TRUE(throws_error([&] { network->features({40, 33, {}}); }, Errc::kInput, {"40 x 33", "0 bytes"}));
}

TEST(CifarResNet, TheShippedNetworkNamesItselfAndIsAsGoodAsItSays) {
  const std::string test = kData + "cifar10/cifar10_batch_50.png", labels_file = kData + "cifar10/labels.txt";
  const auto network = load_feature_network(kShipped);
  EXPECT_EQ(network->name(), "svdlab-cifar-resnet8 1 64-d");
  for (const std::string& file : {test, labels_file}) REQUIRE_FILE(file);
  const Image batch = read_png(test);
  std::ifstream in(labels_file);
  const std::vector<int64_t> labels{std::istream_iterator<int64_t>(in), {}};
  ASSERT_EQ(labels.size(), 51000u);
  int64_t right = 0;
  for (int i = 0; i < batch.height; ++i)
    right += network->features(cifar(batch, i)).label == labels[50000 + i];
  EXPECT_EQ(right, 818);
}

TEST(CifarResNet, TakesNoOtherSize) {
  REQUIRE_FILE(kResNet);
  const auto network = load_feature_network(kResNet);
  EXPECT_EQ(network->name(), "resnet20-cifar10 64-d");
  EXPECT_TRUE(throws_error(
      [&] {
        network->features({33, 32, std::vector<uint8_t>(33 * 32 * 3)});
      },
      Errc::kInput, {"33 x 32", "32 x 32"}));
}

TEST(NetworkWeights, RefusalsNameFileTensorAndValues) {
  const TempDir dir;
  const std::string path = dir.file("net.safetensors");
  const auto save = [&](const std::string& name, const Tensor& tensor) {
    save_safetensors(path, {{.name = name, .tensor = tensor}});
  };
  const auto refuses = [&](const std::vector<std::string>& parts) {
    return throws_error([&] { NetworkWeights(path, "net").take("a.weight", {2, 3}); }, Errc::kInput, parts);
  };
  save("a.weights", at::zeros({2, 3}));
  EXPECT_TRUE(refuses({"net.safetensors", "no tensor a.weight", "nearest: a.weights"}));
  save("a.weight", at::zeros({3, 2}));
  EXPECT_TRUE(refuses({"net.safetensors", "a.weight", "[3, 2]", "[2, 3]"}));
  save("a.weight", at::zeros({2, 3}, at::kLong));
  EXPECT_TRUE(refuses({"a.weight", "I64"}));
  save("a.weight", at::full({2, 3}, std::nan("")));
  EXPECT_TRUE(refuses({"a.weight", "not finite"}));
  save("a.weight", at::ones({2, 3}, at::kHalf));
  EXPECT_EQ(NetworkWeights(path, "net").take("a.weight", {2, 3}).scalar_type(), at::kFloat);
  EXPECT_TRUE(
      throws_error([&] { load_feature_network(path); }, Errc::kInput, {"net.safetensors", "CIFAR ResNet"}));
}

}  // namespace
}  // namespace svdlab
