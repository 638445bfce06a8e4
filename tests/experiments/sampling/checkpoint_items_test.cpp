#include "experiments/sampling/checkpoint_items.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "core/io/safetensors.h"
#include "experiments/cli/command.h"
#include "experiments/sampling/layout.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

const std::string kGolden = SVDLAB_SOURCE_DIR "/tests/golden/";
const std::string kFiles = kGolden + "checkpoint_sample/", kModel = kGolden + "flux/guidance";

TEST(CheckpointItems, FinalLatentsAreThoseOfDiffusers) {
  const testing::TempDir dir;
  ::testing::internal::CaptureStdout();
  const int code = run_program({"sample", kModel, "--prompts", kFiles + "prompts.safetensors", "--latents",
                                kFiles + "latents.safetensors", "--out", dir.path(), "--threads", "1",
                                "--precision", "fp32"});
  EXPECT_NE(::testing::internal::GetCapturedStdout().find("2 items in "), std::string::npos);
  ASSERT_EQ(code, 0);
  const SafetensorsFile expected(kFiles + "final.safetensors");
  for (const std::string name : {"first", "second"}) {
    const SafetensorsFile made(dir.file(name + ".safetensors"));
    EXPECT_EQ(made.metadata().at("height"), "6");
    // The angles of the embedded guidance reach 3500 in fp32: one rounding of a frequency moves the result
    // by some 1e-5 (exact angles: by 4e-5).
    testing::expect_close(made.tensor("latents"), expected.tensor(name), 2e-5);
  }
}

class CheckpointFiles : public ::testing::Test {
 protected:
  using Texts = std::map<std::string, std::string>;

  void SetUp() override {
    for (const std::string part : {"prompts", "latents"}) {
      const SafetensorsFile file(kFiles + part + ".safetensors");
      for (const auto& [name, entry] : file.entries()) tensors_[part][name] = file.tensor(name).clone();
    }
  }
  // Writes both files and reads them; tensors as the golden ones unless changed.
  CheckpointItems load() {
    for (const auto& [part, tensors] : tensors_) {
      std::vector<StWrite> out;
      for (const auto& [name, tensor] : tensors) out.push_back({.name = name, .tensor = tensor});
      save_safetensors(dir_.file(part), out, part == "latents" ? metadata_ : Texts{});
    }
    return load_checkpoint_items(model_, dir_.file("prompts"), dir_.file("latents"));
  }
  ::testing::AssertionResult refuses(const std::vector<std::string>& parts) {
    return throws_error([&] { load(); }, Errc::kInput, parts);
  }

  testing::TempDir dir_;
  Model model_ = load_model(kModel);
  std::map<std::string, std::map<std::string, Tensor>> tensors_;
  Texts metadata_ = {{"height", "6"}, {"width", "10"}};
};

TEST_F(CheckpointFiles, SizesAndScheduleAreTheFiles) {
  const CheckpointItems items = load();
  EXPECT_EQ(items.items.size(), 2u);
  EXPECT_EQ(items.height, 6);
  EXPECT_EQ(items.sigmas.size(), 6u);
  EXPECT_FALSE(items.guidance.has_value());
  tensors_["latents"].erase("sigmas");
  EXPECT_TRUE(load().sigmas.empty());
}

TEST_F(CheckpointFiles, WhatDoesNotFitIsNamed) {
  metadata_["width"] = "8";
  EXPECT_TRUE(refuses({"first.latents", "15 tokens", "6 x 8"}));
  metadata_["width"] = "ten";
  EXPECT_TRUE(refuses({"metadata width", "ten"}));
  metadata_["width"] = "10";
  tensors_["latents"]["sigmas"] = at::tensor({1.0f, 1.0f, 0.0f});
  EXPECT_TRUE(refuses({"sigmas do not fall at step 1"}));
  tensors_["latents"]["sigmas"] = at::ones({1});
  EXPECT_TRUE(refuses({"sigmas is [1]"}));
  tensors_["latents"].erase("sigmas");
  tensors_["latents"]["third.latents"] = at::zeros({15, 8});
  EXPECT_TRUE(refuses({"prompts: no item \"third\""}));
  tensors_["latents"].erase("third.latents"), tensors_["latents"].erase("first.latents");
  EXPECT_TRUE(refuses({"latents: no item \"first\""}));
  tensors_["latents"]["first.latents"] = at::zeros({15, 7});
  EXPECT_TRUE(refuses({"first.latents", "[15, 7]", "in_channels"}));
  tensors_["latents"]["first.latents"] = at::full({15, 8}, std::nan(""));
  EXPECT_TRUE(refuses({"first.latents", "not finite"}));
  tensors_["prompts"]["first.words"] = at::zeros({1});
  EXPECT_TRUE(refuses({"\"first.words\" is not named <item>.pooled or <item>.tokens"}));
}

TEST(PictureLayout, IsDeepCompressors) {
  EXPECT_EQ(PictureLayout("out").base("x"), "out/x");
  EXPECT_EQ(PictureLayout("out", "MJHQ", 5000).base("x"), "out/samples/MJHQ/MJHQ-5000/x");
  EXPECT_EQ(PictureLayout("out", "DCI", 7).folder(), "out/samples/DCI/sDCI-7");
  const PictureLayout own("out", "a/cifar.yaml", 16);
  EXPECT_EQ(own.base("cat"), "out/samples/YAML/cifar-16/cat-0");
  EXPECT_EQ(own.prompts_file(), "out/cifar.yaml");
  for (const std::string other : {"", "COCO", ".yaml"})
    EXPECT_TRUE(
        throws_error([&] { PictureLayout("out", other, 1); }, Errc::kConfig, {"--benchmark", "MJHQ, DCI"}));
}

TEST(PictureLayout, SampleWritesItWithoutAnOverview) {
  const testing::TempDir model, out;
  testing::write_random_model(model.path());
  ::testing::internal::CaptureStdout();
  const int code = run_program({"sample", model.path(), "--items", "2", "--steps", "1", "--out", out.path(),
                                "--threads", "1", "--layout", "deepcompressor", "--benchmark", "tiny.yaml"});
  ::testing::internal::GetCapturedStdout();
  ASSERT_EQ(code, 0);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(out.file("samples/YAML/tiny-2")))
    files.push_back(entry.path().filename().string());
  EXPECT_EQ(files.size(), 2u);
  for (const std::string& name : files) EXPECT_TRUE(name.ends_with("-0.png")) << name;
}

}  // namespace
}  // namespace svdlab
