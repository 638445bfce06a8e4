#include "eval/script_network.h"

#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "core/io/files.h"
#include "tests/eval/pattern.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

// Saves a program whose forward is `body`.
std::string script(const TempDir& dir, const std::string& body, const std::string& arguments = "x") {
  const std::string path = dir.file("net.pt");
  torch::jit::Module module("net");
  module.define("def forward(self, " + arguments + "):\n" + body);
  module.save(path);
  return path;
}

TEST(ScriptNetwork, FeaturesAreWhatForwardReturns) {
  const TempDir dir;
  const Image picture = pattern(9, 7, 3).first;
  const auto unit = load_feature_network(script(dir, "  return x.mean([2, 3])\n"));
  EXPECT_EQ(unit->name(), "TorchScript net.pt");
  const Tensor mean = picture_tensor(picture).mean(at::IntArrayRef{2, 3}).view({3});
  testing::expect_close(unit->features(picture).values, mean, 1e-6);
  EXPECT_EQ(unit->features(picture).label, -1);
  const auto bytes =
      load_feature_network(script(dir, "  return x.float().mean([2, 3], True)\n"), ScriptInput::kBytes);
  testing::expect_close(bytes->features(picture).values, mean * 255, 1e-6);
}

TEST(ScriptNetwork, AsksForFeaturesWhereTheNetworkHasTheArgument) {
  const TempDir dir;
  const auto network = load_feature_network(script(dir,
                                                   "  if return_features:\n    return x.mean([2, 3])\n"
                                                   "  return x.mean([2, 3]) * 0\n",
                                                   "x, return_features : bool = False"));
  EXPECT_GT(network->features(pattern(8, 8, 3).first).values[0].item<double>(), 0.1);
}

TEST(ScriptModule, TheFirstTensorOfATuple) {
  const TempDir dir;
  const ScriptModule module(script(dir, "  return (x + 1, x)\n"));
  EXPECT_EQ(module.forward(at::zeros({1, 2})).sum().item<double>(), 2.0);
}

TEST(ScriptNetwork, Refusals) {
  const TempDir dir;
  write_file(dir.file("bad.pt"), "no program");
  EXPECT_TRUE(throws_error([&] { load_feature_network(dir.file("bad.pt")); }, Errc::kInput,
                           {"bad.pt", "no TorchScript"}));
  const Image picture = pattern(8, 8, 3).first;
  const auto refuses = [&](const std::string& body, const std::vector<std::string>& parts) {
    const auto network = load_feature_network(script(dir, body));
    return throws_error([&] { network->features(picture); }, Errc::kInput, parts);
  };
  EXPECT_TRUE(refuses("  return x\n", {"net.pt", "[1, 3, 8, 8]", "[1, D]"}));
  EXPECT_TRUE(refuses("  return x.mean([2, 3]).long()\n", {"Long"}));
  EXPECT_TRUE(refuses("  return x.view(5)\n", {"net.pt", "forward of a tensor [1, 3, 8, 8]", "failed"}));
  EXPECT_TRUE(refuses("  return 3\n", {"not a tensor"}));
}

}  // namespace
}  // namespace svdlab
