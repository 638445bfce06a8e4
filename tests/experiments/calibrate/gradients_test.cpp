#include "experiments/calibrate/gradients.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/runtime/single_thread.h"
#include "experiments/calibrate/calibrate.h"
#include "experiments/calibrate/stats_file.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::throws_error;

class Gradients : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(folder_.path());
    model_ = load_model(folder_.path());
    facts_ = load_sampling_facts(folder_.path());
    conditioning_ = load_conditioning(folder_.path());
    item_ = class_items(model_, conditioning_, facts_, "gradients", 3, 0)[2];
  }

  NamedTensors inputs(const Executor& executor) const {
    return Sampler(executor, model_, {.steps = 4, .facts = facts_}).inputs(item_, item_.latents, 1);
  }
  std::set<std::string> all_groups() const {
    std::set<std::string> out;
    for (const LayerGroup& group : model_.graph.groups) out.insert(group.name);
    return out;
  }
  StatsMap one_sample(const Executor& executor, const Rng& probe) const {
    StatsMap out;
    add_gradients(executor, model_.graph, inputs(executor), probe, all_groups(), out);
    return out;
  }
  const WeightFisher& fisher(const StatsMap& stats, const std::string& linear) const {
    const Graph& graph = model_.graph;
    return stats.at(graph.group_of(graph.linear_index(linear)).name).fisher.at(linear);
  }
  StatsMap collect(CalibrationOptions options) const {
    return calibrate(model_, conditioning_, facts_, options);
  }

  testing::TempDir folder_;
  Model model_;
  SamplingFacts facts_;
  Conditioning conditioning_;
  SampleItem item_;
};

// z as the header has it, written out again.
Tensor probe_of(const Rng& rng, const Tensor& like) {
  Tensor z = at::empty(like.sizes(), at::kFloat);
  for (int64_t i = 0; i < z.numel(); ++i) z.view(-1)[i] = rng.bits(i) >> 31 ? 1.0 : -1.0;
  return z / std::sqrt(static_cast<double>(z.numel()));
}

TEST_F(Gradients, AreTheOnesThatAutogradGivesWeights) {
  const Rng probe(3, "probe");
  const Executor executor(model_.graph);
  const StatsMap stats = one_sample(executor, probe);
  Graph graph = model_.graph;
  graph.for_each_tensor([](const std::string&, Tensor& t) { t = t.to(at::kFloat).requires_grad_(true); });
  const Executor learner(graph);
  const Tensor out = learner.run(inputs(executor));
  out.backward(probe_of(probe, out));
  for (const LinearSpec& linear : graph.linears) {
    SCOPED_TRACE(linear.name);
    const WeightFisher& f = fisher(stats, linear.name);
    ASSERT_TRUE(linear.weight.grad().defined());
    EXPECT_GT(linear.weight.grad().abs().max().item<double>(), 0);
    expect_close(f.full, linear.weight.grad().to(at::kDouble).square(), 1e-4);
    expect_close(f.row_mean(), f.full.mean(1), 1e-12);
    expect_close(f.col_mean(), f.full.mean(0), 1e-12);
    EXPECT_EQ(f.samples, 1);
  }
}

TEST_F(Gradients, AreWhatDifferencesOfTheOutputSay) {
  const Rng probe(4, "probe");
  const Executor executor(model_.graph, {.precision = Precision::kFp32});
  const StatsMap stats = one_sample(executor, probe);
  const NamedTensors in = inputs(executor);
  const auto along_probe = [&](const Graph& graph) {
    const NoGradGuard no_grad;
    const Tensor v = Executor(graph, {.precision = Precision::kFp32}).run(in);
    return (v * probe_of(probe, v)).sum(at::kDouble).item<double>();
  };
  for (const char* name :
       {"x_embedder", "time_text_embed.timestep_embedder.linear_1", "transformer_blocks.0.norm1.linear",
        "transformer_blocks.0.attn.add_k_proj", "single_transformer_blocks.0.proj_out"}) {
    const Tensor& squares = fisher(stats, name).full;
    const int64_t largest = squares.argmax().item<int64_t>();
    const auto moved = [&](double by) {
      Graph graph = model_.graph;
      Tensor& weight = graph.linears[graph.linear_index(name)].weight;
      weight = weight.to(at::kFloat).clone();
      weight.view(-1)[largest] += by;
      return along_probe(graph);
    };
    const double slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
    expect_close(slope * slope, squares.view(-1)[largest].item<double>(), 0.02);
  }
}

// What the statistics are for: the mean squared change of the output when a weight is rounded, here by noise.
TEST_F(Gradients, TheirSumTellsWhatNoiseOnAWeightDoesToTheOutput) {
  const Executor executor(model_.graph, {.precision = Precision::kFp32});
  const NamedTensors in = inputs(executor);
  StatsMap stats;
  const int64_t probes = 48, draws = 48;
  for (int64_t i = 0; i < probes; ++i) add_gradients(executor, model_.graph, in, Rng(i, "probe"), {}, stats);
  const NoGradGuard no_grad;
  const Tensor v = executor.run(in);
  for (const char* name : {"transformer_blocks.0.attn.to_v", "single_transformer_blocks.0.proj_mlp"}) {
    const double size = 1e-3;
    double moved = 0;
    for (int64_t i = 0; i < draws; ++i) {
      Graph graph = model_.graph;
      Tensor& weight = graph.linears[graph.linear_index(name)].weight;
      weight = weight.to(at::kFloat) + size * testing::random_tensor(weight.sizes(), concat(name, i));
      const Tensor change = Executor(graph, {.precision = Precision::kFp32}).run(in) - v;
      moved += change.square().mean().item<double>() / static_cast<double>(draws);
    }
    const WeightFisher& f = fisher(stats, name);
    const double expected = f.row_mean().mean().item<double>() * size * size *
                            static_cast<double>(f.rows.size(0) * f.cols.size(0));
    RecordProperty(name, std::to_string(moved / expected));
    expect_close(moved, expected, 0.25);
  }
}

TEST_F(Gradients, CalibrationCountsEveryPairAndLeavesTheRestAsItWas) {
  CalibrationOptions options{.pairs = 4, .pairs_per_item = 2, .tokens = 50, .steps = 2};
  const StatsMap plain = collect(options);
  options.gradients = true;
  options.full_gradients = {"transformer_blocks.0.attn.to_q"};
  const StatsMap one = collect(options);
  options.threads = 2;
  const StatsMap two = collect(options);
  for (const LayerGroup& group : model_.graph.groups) {
    const ActivationStats &a = one.at(group.name), &b = two.at(group.name);
    expect_identical(a.gram, plain.at(group.name).gram);
    expect_identical(a.reservoir, plain.at(group.name).reservoir);
    EXPECT_TRUE(plain.at(group.name).fisher.empty());
    ASSERT_EQ(a.fisher.size(), group.members.size());
    for (const auto& [linear, f] : a.fisher) {
      EXPECT_EQ(f.samples, 4) << linear;
      EXPECT_EQ(f.full.defined(), group.name == "transformer_blocks.0.attn.to_q") << linear;
      expect_identical(f.rows, b.fisher.at(linear).rows);
      expect_identical(f.cols, b.fisher.at(linear).cols);
    }
  }
}

TEST_F(Gradients, TheFileGivesBackEveryBitAndKnowsWhoseTheyAre) {
  CalibrationOptions options{.pairs = 2, .pairs_per_item = 2, .tokens = 50, .steps = 2, .gradients = true};
  options.full_gradients = {"transformer_blocks.0.attn.to_q"};
  const StatsMap stats = collect(options);
  const std::string path = folder_.file("stats.safetensors");
  save_stats(path, stats, "made from this");
  const StatsMap back = load_stats(path).stats;
  for (const auto& [group, s] : stats) {
    ASSERT_EQ(back.at(group).fisher.size(), s.fisher.size()) << group;
    for (const auto& [linear, f] : s.fisher) {
      const WeightFisher& other = back.at(group).fisher.at(linear);
      EXPECT_EQ(other.samples, f.samples);
      expect_identical(other.rows, f.rows);
      expect_identical(other.cols, f.cols);
      ASSERT_EQ(other.full.defined(), f.full.defined());
      if (f.full.defined()) expect_identical(other.full, f.full);
    }
  }
  const StatsFile file(path);
  const std::string group = "transformer_blocks.0.attn.to_q";
  EXPECT_TRUE(file.has_gradients(group, "transformer_blocks.0.attn.to_v", FisherDetail::kFull));
  EXPECT_TRUE(file.has_gradients("x_embedder", "x_embedder", FisherDetail::kMeans));
  EXPECT_FALSE(file.has_gradients("x_embedder", "x_embedder", FisherDetail::kFull));
  EXPECT_FALSE(file.has_gradients(group, "x_embedder", FisherDetail::kMeans));
  EXPECT_TRUE(file.has_gradients(group, "x_embedder", FisherDetail::kNone));
}

TEST_F(Gradients, FilesThatDoNotFitAreRefusedByName) {
  StatsMap stats = collect({.pairs = 2, .pairs_per_item = 2, .tokens = 9, .steps = 2, .gradients = true});
  const std::string path = folder_.file("stats.safetensors"), group = "transformer_blocks.0.attn.to_q";
  const auto refused = [&](const std::function<void(WeightFisher&)>& damage, const std::string& part) {
    StatsMap changed = stats;
    damage(changed.at(group).fisher.at(group));
    save_stats(path, changed, "");
    return throws_error([&] { StatsFile file(path); }, Errc::kInput, {part, "make the statistics again"});
  };
  EXPECT_TRUE(refused([](WeightFisher& f) { f.cols = f.cols.slice(0, 1).clone(); }, ".to_q.cols"));
  EXPECT_TRUE(refused([](WeightFisher& f) { f.rows = f.rows.to(at::kFloat); }, ".to_q.rows"));
  EXPECT_TRUE(refused([](WeightFisher& f) { f.full = at::zeros({2, 2}, at::kDouble); }, ".to_q.full"));
  std::vector<StWrite> orphan = {{.name = "nobody.fisher.x.rows", .tensor = at::zeros({2}, at::kDouble)}};
  save_safetensors(path, orphan);
  EXPECT_TRUE(
      throws_error([&] { StatsFile file(path); }, Errc::kInput, {"nobody.fisher.x.rows", "no group"}));
}

TEST_F(Gradients, AskedForUnknownGroupsItNamesTheNearest) {
  CalibrationOptions options{.pairs = 2, .pairs_per_item = 2, .steps = 2, .gradients = true};
  options.full_gradients = {"transformer_blocks.0.attn.to_qq"};
  EXPECT_TRUE(throws_error([&] { collect(options); }, Errc::kConfig,
                           {"to_qq", "nearest: transformer_blocks.0.attn.to_q"}));
}

TEST_F(Gradients, TheStatedBoundCoversWhatIsHeld) {
  CalibrationOptions options{.pairs = 2, .pairs_per_item = 2, .tokens = 9, .steps = 2, .gradients = true};
  options.full_gradients = all_groups();
  int64_t held = 0;
  for (const auto& [name, s] : collect(options)) {
    held += 8 * s.gram.numel() + 4 * s.reservoir.numel();
    for (const auto& [linear, f] : s.fisher) held += 8 * (f.rows.numel() + f.cols.numel() + f.full.numel());
  }
  const int64_t bound = calibration_bytes(model_.graph, options);
  EXPECT_GE(bound, 2 * held);  // a worker's and the total
  options.gradients = false;
  EXPECT_LT(calibration_bytes(model_.graph, options), bound);
}

}  // namespace
}  // namespace svdlab
