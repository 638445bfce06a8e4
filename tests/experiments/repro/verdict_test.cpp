#include "experiments/repro/verdict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/io/yaml.h"
#include "experiments/repro/verdict_views.h"
#include "experiments/study/table_rows.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

/// Three rows of one model under a metric with band 0.5: a = 1, b = 2, c = 3.
PaperTable table_of(const std::string& metric = "ours: psnr_mean, band: 0.5", const std::string& more = "") {
  return parse_paper_table(parse_yaml(
      "{table: t, title: T, source: {arxiv: 1v1, place: here}, protocol: {n: 5}, metrics: {m: {better: "
      "higher, implementation: i, " +
          metric +
          "}}, sections: [{section: S, steps: 4, metrics: [m], columns: {C: {a: [1], b: [2], c: [3]}}}], "
          "compare: [[a, b, c]]" +
          more + "}",
      "t.yaml"));
}

class Verdicts : public ::testing::Test {
 protected:
  /// A row whose items are `mean` + their own part + `spread` that differs from row to row.
  void add(const std::string& row, double mean, double spread = 0) {
    MeasuredValue v{.implementation = "mean over 8-bit pictures"};
    std::vector<double> values;
    for (int i = 0; i < 16; ++i) {
      const double own = std::sin(i * 7.0), wobble = spread * std::cos(i * (3.0 + mean));
      values.push_back(mean + own + wobble);
      v.items["item-" + std::to_string(i)] = values.back();
    }
    v.interval = bootstrap_mean(values, "m");
    v.interval.value = mean;
    measured_.rows[{"S", "C", row}] = {
        .cell = row, .missing = "", .stand_in = "", .metrics = {{"psnr_mean", v}}};
  }
  MeasuredRow& row(const std::string& name) { return measured_.rows.at({"S", "C", name}); }
  void set_value(const std::string& name, double v) { row(name).metrics["psnr_mean"].interval.value = v; }

  JudgedCell cell(const PaperTable& table, const std::string& name) const {
    for (const JudgedCell& c : judge(table, measured_).cells)
      if (c.published.row == name) return c;
    throw Error(Errc::kUnexpected, "no row " + name);
  }
  Verdict verdict(const std::string& name, const PaperTable& table = table_of()) const {
    return cell(table, name).verdict;
  }

  MeasuredTable measured_{.origin = "test",
                          .fingerprint = "f",
                          .model = "S",
                          .model_sha256 = "0123456789abcdef",
                          .steps = 4,
                          .rows = {}};
};

TEST_F(Verdicts, ValuesOfTheSameModelWithinTheBandAreReproduced) {
  add("a", 1.2), add("b", 2.5), add("c", 3.51);
  EXPECT_EQ(verdict("a"), Verdict::kReproduced);
  EXPECT_EQ(verdict("b"), Verdict::kReproduced);
  EXPECT_EQ(verdict("c"), Verdict::kDirectionReproduced);  // off by 0.51, in the right order
}

TEST_F(Verdicts, OtherModelsAreNeverReproducedByValue) {
  add("a", 1), add("b", 2), add("c", 3);
  measured_.model = "another";
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(verdict(name), Verdict::kDirectionReproduced);
  measured_.rows.erase({"S", "C", "b"});
  EXPECT_EQ(verdict("a"), Verdict::kNotComparable);  // no ordering left
  EXPECT_NE(cell(table_of(), "a").reason.find("model another (01234567)"), std::string::npos);
}

TEST_F(Verdicts, OtherStepsImplementationsAndStandInsAreNotComparedByValue) {
  add("a", 1), add("b", 2), add("c", 3);
  measured_.steps = 5;
  EXPECT_EQ(verdict("a"), Verdict::kDirectionReproduced);
  measured_.steps = 4;
  EXPECT_EQ(verdict("a", table_of("ours: psnr_mean, band: 0.5, needs: alex")), Verdict::kDirectionReproduced);
  EXPECT_EQ(verdict("a", table_of("ours: psnr_mean, band: 0.5, stand_in: other")),
            Verdict::kDirectionReproduced);
  row("a").stand_in = "other format";
  EXPECT_EQ(verdict("a"), Verdict::kDirectionReproduced);
  EXPECT_EQ(verdict("c"), Verdict::kReproduced);
}

TEST_F(Verdicts, AContradictedOrderingOutweighsTheValue) {
  add("a", 2.2), add("b", 1.6), add("c", 3);
  const JudgedCell b = cell(table_of(), "b");
  EXPECT_EQ(b.verdict, Verdict::kNotReproduced);
  EXPECT_NE(b.reason.find("contradicted: b over a"), std::string::npos) << b.reason;
  EXPECT_EQ(verdict("c"), Verdict::kReproduced);
}

TEST_F(Verdicts, AnUndecidedOrderingReproducesNoDirection) {
  add("a", 1, 1.5), add("b", 1.02, 1.5), add("c", 9);
  measured_.model = "another";
  const Judgement j = judge(table_of(), measured_);
  ASSERT_EQ(j.orderings.size(), 2u);
  EXPECT_EQ(j.orderings[0].outcome, Outcome::kUndecided);
  EXPECT_EQ(j.orderings[1].outcome, Outcome::kHolds);
  EXPECT_EQ(verdict("a"), Verdict::kNotReproduced);
  EXPECT_EQ(verdict("b"), Verdict::kNotReproduced);
  EXPECT_EQ(verdict("c"), Verdict::kDirectionReproduced);
}

TEST_F(Verdicts, ValuesThatAreOffWithoutAnOrderingAreNotReproduced) {
  add("a", 7);
  EXPECT_EQ(verdict("a"), Verdict::kNotReproduced);
  EXPECT_EQ(verdict("b"), Verdict::kNotComparable);
}

TEST_F(Verdicts, WhatIsNotFiniteIsNeverReproduced) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    add("a", 1), add("b", 2), add("c", 3);
    set_value("a", bad);
    EXPECT_EQ(verdict("a"), Verdict::kNotReproduced);
    row("a").metrics["psnr_mean"].items["item-3"] = bad;
    const Judgement j = judge(table_of(), measured_);
    EXPECT_EQ(j.orderings[0].outcome, Outcome::kUndecided);
    EXPECT_EQ(j.cells[0].verdict, Verdict::kNotReproduced);
  }
}

TEST_F(Verdicts, MissingRowsAndMetricsSayWhy) {
  add("a", 1);
  row("a").missing = "our cell x skipped: no";
  EXPECT_EQ(cell(table_of(), "a").reason, "our cell x skipped: no");
  EXPECT_EQ(verdict("a", table_of("absent: needs a network")), Verdict::kNotComparable);
  EXPECT_EQ(cell(table_of("absent: needs a network"), "a").reason, "metric: needs a network");
  add("b", 2);
  EXPECT_EQ(verdict("b", table_of("ours: lpips")), Verdict::kNotComparable);
}

TEST_F(Verdicts, LimitsHoldOnOneSide) {
  const PaperTable t = table_of("ours: psnr_mean, limit: 1.1", ", notes: []");
  add("a", 0.2);
  EXPECT_EQ(verdict("a", t), Verdict::kReproduced);
  add("a", 1.11);
  EXPECT_EQ(verdict("a", t), Verdict::kNotReproduced);
}

TEST_F(Verdicts, LowerIsBetterTurnsTheSign) {
  PaperTable t = table_of();
  t.metrics[0].higher_is_better = false;
  t.orderings = {{.section = "S",
                  .column = "C",
                  .metric = "m",
                  .better = "a",
                  .worse = "b",
                  .gauge = "",
                  .difference = -1}};
  add("a", 1), add("b", 2);
  EXPECT_EQ(judge(t, measured_).orderings[0].outcome, Outcome::kHolds);
  add("a", 3);
  EXPECT_EQ(judge(t, measured_).orderings[0].outcome, Outcome::kContradicted);
}

TEST_F(Verdicts, AlikeIsMeasuredOnTheScaleOfItsGauge) {
  const PaperTable t =
      table_of("ours: psnr_mean, stand_in: other", ", claims: [{metric: m, alike: b, to: a, gauge: c}]");
  add("a", 1), add("b", 1.4), add("c", 3);
  const auto alike = [&] { return judge(t, measured_).orderings.back(); };
  EXPECT_EQ(alike().outcome, Outcome::kHolds);
  testing::expect_close(alike().margin, 0.5, 1e-12);
  add("b", 1.6);
  EXPECT_EQ(alike().outcome, Outcome::kContradicted);
  add("b", 0.3);
  EXPECT_EQ(alike().outcome, Outcome::kContradicted);
  add("b", 1.2, 2);
  EXPECT_EQ(alike().outcome, Outcome::kUndecided);
}

TEST_F(Verdicts, WithoutItemsIntervalsMustNotOverlap) {
  const auto put = [&](const std::string& name, double lo, double hi) {
    measured_.rows[{"S", "C", name}] = {
        .cell = name,
        .missing = "",
        .stand_in = "",
        .metrics = {{"psnr_mean",
                     {.interval = {.value = (lo + hi) / 2, .lo = lo, .hi = hi, .n = 9},
                      .implementation = "x",
                      .items = {}}}}};
  };
  put("a", 0, 1), put("b", 0.9, 2), put("c", 2.1, 3);
  const Judgement j = judge(table_of(), measured_);
  EXPECT_EQ(j.orderings[0].outcome, Outcome::kUndecided);
  EXPECT_EQ(j.orderings[1].outcome, Outcome::kHolds);
  EXPECT_EQ(j.orderings[1].difference.n, 9);
}

TEST_F(Verdicts, ViewsKeepPublishedAndMeasuredApartAndNameBothModels) {
  add("a", 1.25), add("b", 2), add("c", 3);
  measured_.model = "another";
  const PaperTable t = table_of();
  const Judgement j = judge(t, measured_);
  const std::string text = repro_text(t, measured_, j);
  for (const char* part :
       {"published for S", "measured on another (01234567)", "arXiv:1v1, here",
        "another model than every published one", "3 direction reproduced", "0 reproduced"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  for (const std::string& rule : verdict_rules()) EXPECT_NE(text.find(rule), std::string::npos) << rule;
  const Table all = verdict_table(t, measured_, j, "");
  ASSERT_EQ(all.rows(), 3u);
  EXPECT_EQ(texts(all, "published")[0], "1");
  EXPECT_EQ(texts(all, "measured on another (01234567)")[0], "1.2500");
  const Value json = parse_yaml(repro_json(t, measured_, j), "json");
  ASSERT_EQ(json.find("cells")->items.size(), 3u);
  EXPECT_EQ(json.find("cells")->items[0].find("measured")->find("value")->as_number("v"), 1.25);
  EXPECT_EQ(json.find("cells")->items[0].find("verdict")->scalar, "direction reproduced");
}

}  // namespace
}  // namespace svdlab
