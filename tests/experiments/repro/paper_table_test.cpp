#include "experiments/repro/paper_table.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "core/io/yaml.h"
#include "experiments/repro/study_cells.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

const std::string kShipped = std::string(SVDLAB_SOURCE_DIR) + "/" + kPaperTables;

/// Tables name their studies from the project's folder.
class InProjectFolder : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::current_path(SVDLAB_SOURCE_DIR); }
  void TearDown() override { std::filesystem::current_path(before_); }
  const std::filesystem::path before_ = std::filesystem::current_path();
};
using ShippedTables = InProjectFolder;

TEST_F(ShippedTables, AreAllThere) {
  const std::vector<std::string> names = paper_table_names(kShipped);
  for (const char* name : {"components", "deepcompressor", "latency-memory", "lora", "nunchaku-lpips", "rank",
                           "svdquant-table1", "svdquant-table2"})
    EXPECT_TRUE(std::find(names.begin(), names.end(), name) != names.end()) << name;
}

TEST_F(ShippedTables, ParseAndHoldNoCellTwice) {
  for (const std::string& name : paper_table_names(kShipped)) {
    SCOPED_TRACE(name);
    const PaperTable t = load_paper_table(name, kShipped);
    std::set<std::string> labels;
    for (const PaperCell& c : t.cells) EXPECT_TRUE(labels.insert(c.label()).second) << c.label();
    EXPECT_GE(t.cells.size(), 3u);
    EXPECT_FALSE(t.source.empty());
  }
}

TEST_F(ShippedTables, EveryRowIsMeasuredByACellOfItsStudy) {
  int64_t studies = 0;
  for (const std::string& name : paper_table_names(kShipped)) {
    SCOPED_TRACE(name);
    const PaperTable t = load_paper_table(name, kShipped);
    if (t.study.empty()) continue;
    ++studies;
    const StudyConfig study = repro_study(t, "small", {});
    std::set<std::string> cells, wanted;
    for (const Cell& c : study.cells) cells.insert(c.name);
    for (const PaperCell& c : t.cells)
      if (const auto row = t.rows.find(c.row); row != t.rows.end())
        wanted.insert(study_cell(row->second, c.column));
    EXPECT_EQ(cells, wanted);
    EXPECT_EQ(study.protocol.items, 32);
    EXPECT_EQ(study.name, "repro-" + name);
  }
  EXPECT_GE(studies, 6);
}

TEST_F(ShippedTables, OrderingsFollowFromThePublishedValues) {
  for (const std::string& name : paper_table_names(kShipped)) {
    SCOPED_TRACE(name);
    const PaperTable t = load_paper_table(name, kShipped);
    for (const PaperOrdering& o : t.orderings) {
      ASSERT_NE(o.better, o.worse);
      if (!o.difference) continue;
      const PaperMetric& m = t.metric(o.metric);
      EXPECT_GT(*o.difference * (m.higher_is_better ? 1 : -1), m.band) << o.better << " over " << o.worse;
    }
  }
  EXPECT_EQ(load_paper_table("components", kShipped).orderings.size(), 14u);
  EXPECT_EQ(load_paper_table("rank", kShipped).orderings.size(), 6u);
}

TEST_F(ShippedTables, HoldTheNumbersOfTheirSources) {
  const PaperTable t = load_paper_table("deepcompressor", kShipped);
  int64_t found = 0;
  for (const PaperCell& c : t.cells)
    if (c.label() == "FLUX.1-dev MJHQ int4-svdq+gptq psnr") {
      ++found;
      EXPECT_EQ(c.value, 21.0);
      EXPECT_EQ(c.n, 5000);
    }
  EXPECT_EQ(found, 1);
  EXPECT_EQ(t.source.substr(0, 38), "mit-han-lab/deepcompressor @ 69f3473, ");
}

TEST_F(InProjectFolder, OverridesChangeTheStudy) {
  const PaperTable t = load_paper_table("rank", kShipped);
  const StudyConfig study =
      repro_study(t, "full", {"model=/elsewhere", "methods.rank-2.low_rank.rank=16", "protocol.items=3"});
  EXPECT_EQ(study.model, "/elsewhere");
  EXPECT_EQ(study.protocol.items, 3);
  EXPECT_EQ(study.protocol.steps, 20);
  ASSERT_EQ(study.cells.size(), 6u);
  int64_t rank = 0;
  for (const CellRule& r : study.cells[0].rules)
    if (r.subject) rank = r.rule.recipe.rank;
  EXPECT_EQ(rank, 16);
}

TEST_F(InProjectFolder, UnknownTablesAndProtocolsAreRefused) {
  EXPECT_TRUE(testing::throws_error([] { load_paper_table("component", kShipped); }, Errc::kConfig,
                                    {"\"component\"", "nearest: \"components\""}));
  EXPECT_TRUE(
      testing::throws_error([] { load_paper_table("rank", "/nowhere"); }, Errc::kInput, {"/nowhere"}));
  EXPECT_TRUE(testing::throws_error([] { repro_study(load_paper_table("rank", kShipped), "tiny", {}); },
                                    Errc::kConfig, {"tiny"}));
}

std::string table_with(const std::string& more, const std::string& rows = "{a: [1], b: [2], c: [3]}") {
  return "{table: t, title: t, source: {arxiv: 1v1, place: here}, protocol: {n: 5}, metrics: {m: {better: "
         "higher, implementation: i, ours: psnr_mean, band: 0.5}}, sections: [{section: S, metrics: [m], "
         "columns: {C: " +
         rows + "}}]" + more + "}";
}

PaperTable parsed(const std::string& text) { return parse_paper_table(parse_yaml(text, "t.yaml")); }

TEST(PaperTable, ComparisonsTakeTheirDirectionFromTheValues) {
  const PaperTable t = parsed(table_with(", compare: [[c, a]]"));
  ASSERT_EQ(t.orderings.size(), 1u);
  EXPECT_EQ(t.orderings[0].better, "c");
  EXPECT_EQ(*t.orderings[0].difference, 2);
  EXPECT_TRUE(parsed(table_with(", compare: [[a, b]]", "{a: [1], b: [1.5]}")).orderings.empty());
}

TEST(PaperTable, BadTablesAreRefused) {
  for (const auto& [text, part] : std::vector<std::pair<std::string, std::string>>{
           {table_with(", compare: [[a, d]]"), "\"d\""},
           {table_with(", claims: [{metric: mm, better: a, worse: b}]"), "nearest: \"m\""},
           {table_with(", rows: {a: int4/rtn}"), "study"},
           {table_with(", extra: 1"), "extra"},
           {table_with("", "{a: [1, 2]}"), "1 values"},
           {table_with("", "{a: [x]}"), "number"},
           {table_with("", "{a: [null]}"), "no cells"}})
    EXPECT_TRUE(testing::throws_error([&] { parsed(text); }, Errc::kConfig, {part})) << text;
}

TEST_F(InProjectFolder, MissingStudyCellsAreNamed) {
  PaperTable t = parsed(table_with(", study: experiments/configs/rank.yaml, rows: {a: int4/rank-3}"));
  EXPECT_TRUE(testing::throws_error([&] { repro_study(t, "small", {}); }, Errc::kConfig,
                                    {"int4/rank-3", "nearest: int4/rank-"}));
}

}  // namespace
}  // namespace svdlab
