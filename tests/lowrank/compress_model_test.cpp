#include "lowrank/compress_model.h"

#include "tests/lowrank/problems.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::throws_error;

constexpr int64_t kChannels = 128;

// Two blocks of q k v | out, where the out projections are tied, and an embedding: what FLUX's joint blocks
// look like.
class CompressModel : public ::testing::Test {
 protected:
  CompressModel() {
    for (const char* stream : {"img", "txt"}) {
      const std::string s = stream;
      const int q = add(s + ".q", 128), k = add(s + ".k", 128), v = add(s + ".v", 64),
                out = add(s + ".out", 128);
      graph.groups.push_back({s + ".q", {q, k, v}, {{q, k, v}}, ""});
      graph.groups.push_back({s + ".out", {out}, {{out}}, s == "txt" ? "img.out" : ""});
    }
    const int embed = add("embed", 64);
    graph.groups.push_back({"embed", {embed}, {{embed}}, ""});
    for (const LayerGroup& group : graph.groups)
      stats[group.name] = testing::stats_of(testing::outlier_inputs(96, kChannels, group.name + "-x"));
  }

  int add(const std::string& name, int64_t out) {
    LinearSpec l;
    l.name = name;
    l.weight = testing::realistic_weight(out, kChannels, name).to(at::kBFloat16);
    if (name != "img.k") l.bias = testing::random_tensor({out}, name + "-bias").to(at::kBFloat16);
    l.segments = {{0, kChannels, Producer::kModulate}};
    graph.linears.push_back(l);
    return static_cast<int>(graph.linears.size()) - 1;
  }

  static PlanRule rule(const std::string& match, const std::string& scheme, const std::string& yaml) {
    return {match, scheme_named(scheme), testing::recipe(yaml), "plan.yaml:3:5"};
  }
  Compression compress(const Plan& plan, int threads = 1) const {
    CompressionOptions options;
    options.threads = threads;
    return compress_model(graph, stats, plan, options);
  }

  Graph graph;
  StatsMap stats;
};

TEST_F(CompressModel, FirstMatchWins) {
  const Plan plan = {rule("*.q", "int4", "{}"), rule("img.*", "nvfp4", "{}"), rule("*", "bf16", "{}")};
  EXPECT_EQ(assign_rules(graph, plan), (std::vector<int>{0, 1, 1, 1, 0, 2, 2, 2, 2}));
}

TEST_F(CompressModel, UnmatchedLinearsAndUselessPatternsAreRefused) {
  EXPECT_TRUE(throws_error([&] { assign_rules(graph, {rule("img.*", "int4", "{}")}); }, Errc::kConfig,
                           {"txt.q", "5 such", "\"*\""}));
  EXPECT_TRUE(throws_error(
      [&] {
        assign_rules(graph, {rule("imgs.q", "int4", "{}"), rule("*", "int4", "{}")});
      },
      Errc::kConfig, {"plan.yaml:3:5", "imgs.q", "nearest: img.q"}));
  EXPECT_TRUE(throws_error(
      [&] {
        assign_rules(graph, {rule("*", "int4", "{}"), rule("embed", "bf16", "{}")});
      },
      Errc::kConfig, {"\"embed\" never applies", "move it up"}));
}

TEST_F(CompressModel, SixteenBitLinearsAreAbsent) {
  const Compression c = compress({rule("embed", "bf16", "{}"), rule("txt.*", "int4", "weights: none"),
                                  rule("*", "int4", "preset: rtn")});
  EXPECT_EQ(c.model.linears.size(), 4u);
  EXPECT_EQ(c.log.size(), 4u);
  EXPECT_EQ(c.model.linears.count("embed"), 0u);
  EXPECT_EQ(c.model.linears.count("txt.q"), 0u);
}

TEST_F(CompressModel, BiasIsCarriedOver) {
  const Compression c = compress({rule("*", "int4", "preset: rtn")});
  expect_identical(c.model.linears.at("img.q").bias, graph.linears[0].bias.to(at::kFloat));
  EXPECT_FALSE(c.model.linears.at("img.k").bias.defined());
}

TEST_F(CompressModel, LogIsInGraphOrder) {
  const Compression c = compress({rule("*", "int4", "preset: smooth")});
  ASSERT_EQ(c.log.size(), graph.linears.size());
  for (size_t i = 0; i < c.log.size(); ++i) EXPECT_EQ(c.log[i].linear, graph.linears[i].name);
  EXPECT_EQ(c.log[2].group, "img.q");
}

TEST_F(CompressModel, TiedGroupsShareTheVectorOthersDoNot) {
  const Compression c = compress({rule("*", "int4", "preset: svdquant")});
  const auto smooth = [&](const char* name) { return c.model.linears.at(name).smooth; };
  ASSERT_TRUE(smooth("img.out").defined());
  expect_identical(smooth("img.out"), smooth("txt.out"));
  EXPECT_FALSE(at::equal(smooth("img.out"), smooth("img.q")));
  expect_identical(smooth("img.q"), smooth("img.v"));
}

TEST_F(CompressModel, RulesSplitAGroup) {
  const Compression c =
      compress({rule("*.v", "nvfp4", "preset: svdquant"), rule("txt.out", "int4", "preset: smooth"),
                rule("*", "int4", "preset: svdquant")});
  const auto linear = [&](const char* name) -> const CompressedLinear& { return c.model.linears.at(name); };
  EXPECT_EQ(linear("img.q").low_rank()->sharers, 2);
  EXPECT_EQ(linear("img.v").low_rank()->sharers, 1);
  EXPECT_EQ(linear("img.v").low_bit()->weight.scheme.format, NumberFormat::kFp4E2M1);
  EXPECT_EQ(linear("txt.out").low_rank(), nullptr);
  EXPECT_FALSE(at::equal(linear("img.out").smooth, linear("txt.out").smooth))
      << "different rules are not tied";
}

TEST_F(CompressModel, ThreadsDoNotChangeTheResult) {
  const Plan plan = {rule("embed", "w4a16-int4-g64", "preset: gptq"),
                     rule("*", "int4", "preset: svdquant-iterated")};
  const Compression one = compress(plan, 1), three = compress(plan, 3);
  ASSERT_EQ(one.model.linears.size(), three.model.linears.size());
  for (const auto& [name, a] : one.model.linears) {
    SCOPED_TRACE(name);
    const CompressedLinear& b = three.model.linears.at(name);
    ASSERT_EQ(a.smooth.defined(), b.smooth.defined());
    if (a.smooth.defined()) expect_identical(a.smooth, b.smooth);
    expect_identical(a.low_bit()->weight.codes, b.low_bit()->weight.codes);
    expect_identical(a.low_bit()->weight.scales, b.low_bit()->weight.scales);
    ASSERT_EQ(a.low_rank() == nullptr, b.low_rank() == nullptr);
    if (!a.low_rank()) continue;
    expect_identical(a.low_rank()->up, b.low_rank()->up);
    expect_identical(a.low_rank()->down, b.low_rank()->down);
  }
  for (size_t i = 0; i < one.log.size(); ++i) EXPECT_EQ(one.log[i].round_errors, three.log[i].round_errors);
}

TEST_F(CompressModel, ProgressCountsTiedSets) {
  CompressionOptions options;
  options.threads = 2;
  std::vector<int> seen;
  options.progress = [&](int done, int total) {
    EXPECT_EQ(total, 4);  // img qkv, txt qkv, both outs, embed
    seen.push_back(done);
  };
  compress_model(graph, stats, {rule("*", "int4", "preset: rtn")}, options);
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 4}));
}

TEST_F(CompressModel, ErrorsOfWorkersReachTheCaller) {
  graph.linears[5].weight[0][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(throws_error([&] { compress({rule("*", "int4", "preset: rtn")}, 2); }, Errc::kInput,
                           {"txt.k.weight(0, 1)", "first of 1"}));
  stats.erase("embed");
  EXPECT_TRUE(throws_error(
      [&] {
        compress({rule("embed", "int4", "preset: smooth"), rule("*", "bf16", "{}")});
      },
      Errc::kConfig, {"embed", "transform smooth"}));
}

TEST_F(CompressModel, StatisticsOfAnotherWidthAreRefused) {
  stats["embed"] = testing::stats_of(at::ones({4, 64}));
  EXPECT_TRUE(throws_error([&] { compress({rule("*", "int4", "preset: rtn")}); }, Errc::kInput,
                           {"embed", "64", "128"}));
}

}  // namespace
}  // namespace svdlab
