#include "experiments/train/trainer.h"

#include <gtest/gtest.h>

#include "core/io/files.h"
#include "core/io/hdf5.h"
#include "core/io/png.h"
#include "core/io/safetensors.h"
#include "core/io/yaml.h"
#include "core/models/model.h"
#include "experiments/sampling/items.h"
#include "experiments/train/cifar10.h"
#include "experiments/train/flat_parameters.h"
#include "experiments/train/initial_weights.h"
#include "experiments/train/optimizer.h"
#include "experiments/train/replica.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

/// A data folder with one sheet of 1,000 made-up pictures: each class is one grey level plus noise.
void write_data(const testing::TempDir& folder) {
  Image sheet{.width = 1024, .height = 1000, .rgb = std::vector<uint8_t>(1024 * 1000 * 3)};
  for (size_t i = 0; i < sheet.rgb.size(); ++i)
    sheet.rgb[i] = static_cast<uint8_t>((i / (1024 * 3)) % 10 * 25 + i % 7);
  write_png(folder.file("cifar10_batch_0.png"), sheet);
  std::string labels;
  for (int i = 0; i < 50000; ++i) labels += std::to_string(i % 10) + "\n";
  write_file(folder.file("labels.txt"), labels);
}

TrainConfig tiny_config(const std::string& data) {
  return parse_train_config(parse_yaml(
      "model: {_class_name: FluxTransformer2DModel, patch_size: 1, in_channels: 12, num_layers: 1, "
      "num_single_layers: 1,"
      " attention_head_dim: 8, num_attention_heads: 2, joint_attention_dim: 8, pooled_projection_dim: 8,"
      " guidance_embeds: false, axes_dims_rope: [2, 2, 4]}\n"
      "data: " +
          data +
          "\npartial_data: true\nbatch: 4\nsteps: 6\nwarmup: 2\ndecay: 2\nlearning_rate: 1e-2\n"
          "log_every: 1\n",
      "tiny.yaml"));
}

std::map<std::string, Tensor> state_of(const std::string& out) {
  return load_safetensors(out + "/state/state.safetensors");
}

class Trainer : public testing::Test {
 protected:
  void SetUp() override { write_data(data_); }
  testing::TempDir data_, work_;
};

TEST_F(Trainer, WritesAModelThatLoadsAndALossThatFalls) {
  TrainConfig config = tiny_config(data_.path());
  config.steps = 40;
  config.preview_count = 10;
  config.preview_steps = 2;
  config.preview_guidance = {1.5};
  EXPECT_EQ(train(config, {.out = work_.path(), .devices = {"cpu"}}), 40);
  EXPECT_EQ(load_model(work_.path()).class_name, "FluxTransformer2DModel");
  const Table log = Hdf5Reader(work_.file("loss.h5")).table("/loss");
  const auto& loss = std::get<std::vector<double>>(log.column("loss").values);
  ASSERT_EQ(loss.size(), 40u);
  EXPECT_LT(loss[38] + loss[39], 0.8 * (loss[0] + loss[1]));
  EXPECT_EQ(load_sampling_facts(work_.path()).classes.size(), 10u);
  const auto preview = load_safetensors(work_.file("preview/guidance_1.50.safetensors"));
  EXPECT_EQ(preview.at("images").sizes(), at::IntArrayRef({10, 3, 32, 32}));
}

TEST_F(Trainer, AResumedRunEqualsAStraightOneToTheBit) {
  const TrainConfig config = tiny_config(data_.path());
  train(config, {.out = work_.file("straight"), .devices = {"cpu"}});
  EXPECT_LT(train(config, {.out = work_.file("cut"), .devices = {"cpu"}, .stop_after_seconds = 1e-9}), 6);
  EXPECT_EQ(train(config, {.out = work_.file("cut"), .devices = {"cpu"}}), 6);
  const auto straight = state_of(work_.file("straight")), cut = state_of(work_.file("cut"));
  for (const char* name : {"weights", "average", "first", "second"})
    testing::expect_identical(cut.at(name), straight.at(name));
}

TEST_F(Trainer, ReplicasTakeTheStepOfTheMeanGradient) {
  TrainConfig config = tiny_config(data_.path());
  config.steps = 1;
  config.decay = 0;
  config.clip_norm = 1e9;
  const LabelledImages images = load_cifar10(data_.path(), true);
  const auto initial = initial_weights(config, parse_flux_config(config.model), {});
  Replica replica(config, initial, images, at::kCPU);
  const Tensor first = replica.gradient(0, 0, 2).gradient, second = replica.gradient(0, 1, 2).gradient;
  EXPECT_FALSE(at::equal(first, second)) << "shards draw items of their own";
  train(config, {.out = work_.path(), .devices = {"cpu", "cpu"}});
  // After one step the first moment is (1 - beta1) times the gradient that was applied.
  testing::expect_close(state_of(work_.path()).at("first"), (first + second) * (0.5 * (1 - config.beta1)),
                        1e-6);
}

TEST_F(Trainer, AStudentStartsAsItsTeacherAtGuidanceOne) {
  TrainConfig config = tiny_config(data_.path());
  config.steps = 20;
  train(config, {.out = work_.file("teacher"), .devices = {"cpu"}});
  config.model.at_or_add("guidance_embeds") = Value::boolean(true);
  config.teacher = work_.file("teacher");
  config.guidance_low = config.guidance_high = 1.0;
  config.steps = 1;
  config.decay = 0;
  train(config, {.out = work_.file("student"), .devices = {"cpu"}});
  const Table log = Hdf5Reader(work_.file("student/loss.h5")).table("/loss");
  // The teacher was stored in bf16, so the first loss is not exactly zero; fitting data it would be near 0.5.
  EXPECT_LT(std::get<std::vector<double>>(log.column("loss").values)[0], 1e-3);
}

TEST_F(Trainer, RefusesWhatCannotRun) {
  TrainConfig config = tiny_config(data_.path());
  EXPECT_TRUE(testing::throws_error(
      [&] {
        train(config, {.out = work_.path(), .devices = {"cpu", "cpu", "cpu"}});
      },
      Errc::kConfig, {"batch 4", "3 devices"}));
  config.partial_data = false;
  EXPECT_TRUE(testing::throws_error([&] { train(config, {.out = work_.path(), .devices = {"cpu"}}); },
                                    Errc::kInput, {"cifar10_batch_1.png"}));
  EXPECT_TRUE(testing::throws_error(
      [] { parse_train_config(parse_yaml("model: {}\ndata: x\nlearning_rat: 1", "t.yaml")); }, Errc::kConfig,
      {"learning_rat", "learning_rate"}));
}

TEST(TrainConfig, LearningRateRisesStaysAndFalls) {
  const TrainConfig c{.steps = 100, .warmup = 10, .decay = 50, .learning_rate = 1.0};
  EXPECT_NEAR(c.learning_rate_at(0), 0.1, 1e-12);
  EXPECT_EQ(c.learning_rate_at(9), 1.0);
  EXPECT_EQ(c.learning_rate_at(50), 1.0);
  EXPECT_NEAR(c.learning_rate_at(75), 0.5, 1e-12);
  EXPECT_LT(c.learning_rate_at(99), 2e-3);
}

TEST(FlatParameters, GradientsComeBackInTheOrderOfNames) {
  FlatParameters p({{"a", at::ones({2, 2})}, {"b", at::ones({3})}, {"unused", at::ones({1})}}, at::kCPU);
  (p.leaf("b") * 2.0).sum().backward();
  EXPECT_TRUE(at::equal(p.take_gradient(), at::tensor(std::vector<float>{0, 0, 0, 0, 2, 2, 2, 0})));
  EXPECT_TRUE(at::equal(p.take_gradient(), at::zeros({8}))) << "taking drops them";
  p.flat().fill_(5);
  EXPECT_EQ(p.leaf("a")[0][0].item<float>(), 5);
}

TEST(Optimizer, FirstStepMovesByTheLearningRateAgainstTheGradient) {
  Tensor flat = at::zeros({3});
  Optimizer optimizer(flat);
  optimizer.step({.steps = 10, .warmup = 0, .decay = 0, .learning_rate = 0.1, .clip_norm = 1e9}, 0, flat,
                 at::tensor(std::vector<float>{1, -2, 0}));
  EXPECT_NEAR(flat[0].item<float>(), -0.1, 1e-6);
  EXPECT_NEAR(flat[1].item<float>(), 0.1, 1e-6);
  EXPECT_EQ(flat[2].item<float>(), 0);
}

}  // namespace
}  // namespace svdlab
