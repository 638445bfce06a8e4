// experiments/capture.py on diffusers' model against svdlab's own calibration, where Python has the packages.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "experiments/calibrate/calibrate.h"
#include "experiments/calibrate/stats_file.h"
#include "experiments/sampling/latents.h"
#include "experiments/sampling/schedule.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

constexpr int64_t kSteps = 3, kItems = 2, kTokens = 256;
// Our 16-bit run rounds every input to bf16 (2^-9 at most), diffusers runs in fp32 here; anything left out,
// counted twice or put into another group is off by far more.
constexpr double kTolerance = 1e-2;

std::string python() {
  const char* named = std::getenv("SVDLAB_PYTHON");
  return named ? named : "python3";
}

bool succeeds(const std::string& command) {
  return std::system((command + " > /dev/null 2>&1").c_str()) == 0;
}

class Capture : public testing::Test {
 protected:
  void SetUp() override {
    if (!succeeds(python() + " -c 'import torch, diffusers, safetensors'"))
      GTEST_SKIP() << python() << " has no torch, diffusers and safetensors (SVDLAB_PYTHON names another)";
    testing::write_random_model(dir_.file("model"), {.guidance_embeds = true});
    model_ = load_model(dir_.file("model"));
    facts_ = load_sampling_facts(dir_.file("model"));
    conditioning_ = load_conditioning(dir_.file("model"));
  }

  StatsMap ours() const {
    return calibrate(
        model_, conditioning_, facts_,
        {.pairs = kItems * kSteps, .pairs_per_item = kSteps, .tokens = kTokens, .steps = kSteps});
  }

  void write_inputs() const {
    const Executor executor(model_.graph);
    const Sampler sampler(executor, model_, {.steps = kSteps, .facts = facts_});
    std::vector<StWrite> out;
    for (const SampleItem& item : class_items(model_, conditioning_, facts_, "calibration", kItems, 0)) {
      std::vector<Tensor> latents = sampler.run(item).latents;
      latents.pop_back();
      out.push_back({.name = item.name + ".latents", .tensor = at::cat(latents)});
      out.push_back({.name = item.name + ".tokens", .tensor = item.tokens[0].contiguous()});
      out.push_back({.name = item.name + ".pooled", .tensor = item.pooled[0].contiguous()});
    }
    std::vector<double> sigmas = flux_sigmas(kSteps, facts_.height / 2 * (facts_.width / 2));
    sigmas.pop_back();
    out.push_back({.name = "sigmas", .tensor = at::tensor(sigmas).to(at::kFloat)});
    out.push_back({.name = "guidance", .tensor = at::full({1}, 1.0, at::kFloat)});
    out.push_back(
        {.name = "img_ids", .tensor = image_ids(facts_.height, facts_.width, at::TensorOptions(at::kFloat))});
    save_safetensors(dir_.file("inputs.safetensors"), out, {});
  }

  StoredStats captured(const std::string& memory_gib) const {
    const std::string out = dir_.file("captured.safetensors");
    write_inputs();
    EXPECT_TRUE(succeeds(std::string(SVDLAB_BINARY_DIR "/svdlab inspect ") + dir_.file("model") +
                         " --groups | tee " + dir_.file("groups.json")));
    EXPECT_TRUE(succeeds(python() + " " SVDLAB_SOURCE_DIR "/tests/experiments/capture/diffusers_run.py " +
                         dir_.file("model") + " " + dir_.file("groups.json") + " " +
                         dir_.file("inputs.safetensors") + " " + out + " " + memory_gib));
    return load_stats(out);
  }

  testing::TempDir dir_;
  Model model_;
  SamplingFacts facts_;
  Conditioning conditioning_;
};

TEST_F(Capture, EqualsOurCalibrationInOnePassAndInMany) {
  const StatsMap expected = ours();
  for (const char* memory_gib : {"1", "0.0005"}) {
    const StoredStats stored = captured(memory_gib);
    EXPECT_EQ(stored.fingerprint, model_hash(dir_.file("model")));
    ASSERT_EQ(stored.stats.size(), expected.size());
    for (const auto& [name, e] : expected) {
      SCOPED_TRACE(name);
      const ActivationStats& s = stored.stats.at(name);
      EXPECT_EQ(s.tokens, e.tokens);
      EXPECT_EQ(s.capacity, e.capacity);
      testing::expect_identical(s.keys, e.keys);
      for (const auto& [actual, wanted] : {std::pair(s.absmax, e.absmax), std::pair(s.min, e.min),
                                           std::pair(s.max, e.max), std::pair(s.reservoir, e.reservoir)})
        testing::expect_close(actual, wanted, kTolerance);
      testing::expect_close(s.sum, e.sum, kTolerance);
      testing::expect_close(s.gram, e.gram, kTolerance);
    }
    EXPECT_FALSE(std::filesystem::exists(dir_.file("captured.safetensors.part0")));
  }
}

}  // namespace
}  // namespace svdlab
