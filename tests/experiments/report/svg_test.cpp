#include "experiments/report/svg.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/io/files.h"
#include "experiments/report/axis.h"
#include "tests/experiments/report/xml_check.h"
#include "tests/support/support.h"

namespace svdlab::report {
namespace {

using testing::throws_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

TEST(XmlCheck, SeesFaults) {
  EXPECT_EQ(xml_fault("<a b=\"1 &lt; 2\"><c/>x &amp; y</a>"), "");
  for (const char* bad : {"<a>", "<a></b>", "</a>", "<a b=1/>", "<a b=\"<\"/>", "<a>&</a>", "<a>&nope;</a>",
                          "<a>1 < 2</a>", "x<a/>", "<a b=\"1\"", "<a><b></a></b>"})
    EXPECT_NE(xml_fault(bad), "") << bad;
}

std::vector<double> tick_values(double lo, double hi, bool log) {
  std::vector<double> out;
  for (const Tick& t : Scale({lo, hi, false}, log, 0, 100).ticks(5)) out.push_back(t.value);
  return out;
}

std::vector<std::string> tick_labels(double lo, double hi, bool log) {
  std::vector<std::string> out;
  for (const Tick& t : Scale({lo, hi, false}, log, 0, 100).ticks(5)) out.push_back(t.label);
  return out;
}

TEST(Axis, TicksAreRound) {
  EXPECT_EQ(tick_values(0, 10, false), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(tick_labels(0, 1, false), (std::vector<std::string>{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
  EXPECT_EQ(tick_labels(-0.05, 0.05, false),
            (std::vector<std::string>{"-0.04", "-0.02", "0.00", "0.02", "0.04"}));
  EXPECT_EQ(tick_labels(0.01, 1, true),
            (std::vector<std::string>{"0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"}));
  EXPECT_EQ(tick_labels(1e-6, 1, true).front(), "10⁻⁶");
  EXPECT_LE(tick_values(1e-30, 1e30, true).size(), 10u);
  EXPECT_GE(tick_values(1e-30, 1e30, true).size(), 4u);
}

TEST(Axis, ScalesMapTheirEnds) {
  const Scale linear({2, 4, false}, false, 100, 0), log({1, 100, false}, true, 0, 10);
  EXPECT_DOUBLE_EQ(linear.at(2), 100);
  EXPECT_DOUBLE_EQ(linear.at(3), 50);
  EXPECT_DOUBLE_EQ(log.at(10), 5);
  EXPECT_FALSE(log.shows(0));
  EXPECT_FALSE(linear.shows(kNan));
  EXPECT_FALSE(linear.shows(kInf));
}

TEST(Axis, SingleAndMissingValuesStillGiveARange) {
  for (const bool log : {false, true})
    for (const Range& r :
         {Range{}, Range{3, 3, false}, Range{1e-300, 1e-300, false}, Range{1e300, 1e300, false}}) {
      const Scale s = Scale(r, log, 0, 100).rounded();
      EXPECT_TRUE(std::isfinite(s.at(r.empty ? 0.5 : r.lo)));
      EXPECT_LE(s.ticks(5).size(), 20u);
    }
  const Scale zero({0, 0, false}, false, 0, 100);
  EXPECT_NEAR(zero.at(0), 50, 1e-9);
}

TEST(Axis, ShortNumbers) {
  EXPECT_EQ(short_number(19.4321), "19.43");
  EXPECT_EQ(short_number(0.5), "0.5");
  EXPECT_EQ(short_number(0), "0");
  EXPECT_EQ(short_number(12345.6), "12346");
  EXPECT_EQ(short_number(1.234e-5), "1.23e-05");
  EXPECT_EQ(short_number(-2.5e7), "-2.50e+07");
  EXPECT_EQ(short_number(kNan), "nan");
}

void expect_clean(const std::string& svg) {
  EXPECT_EQ(xml_fault(svg), "");
  // A NaN that reached a coordinate would make the browser drop the mark without a word.
  for (const char* key : {"=\"nan", "=\"inf", "=\"-inf", "Lnan", "Mnan", " nan\"", "nan L"})
    EXPECT_EQ(svg.find(key), std::string::npos) << key;
}

TEST(LineChart, DrawsEverySeriesWithItsName) {
  const std::string svg =
      line_chart({{"rtn <&>", {1, 2, 3}, {4, 5, 6}, {3, 4, 5}, {5, 6, 7}}, {"b", {1, 3}, {2, 9}, {}, {}}},
                 {"t", "step", "SQNR"});
  expect_clean(svg);
  EXPECT_EQ(occurrences(svg, "stroke-linejoin"), 2u);
  EXPECT_EQ(occurrences(svg, "opacity:.14"), 1u);
  EXPECT_NE(svg.find("rtn &lt;&amp;&gt;: 2, 5"), std::string::npos);
  EXPECT_EQ(occurrences(svg, "<title>"), 5u);
}

TEST(LineChart, MissingValuesBreakTheLine) {
  const std::string svg = line_chart({{"a", {0, 1, 2, 3, 4}, {1, 2, kNan, 4, 5}, {}, {}}}, {});
  expect_clean(svg);
  const size_t at = svg.find("<path d=\"M", svg.find("fill:none") - 200);
  const std::string path = svg.substr(at, svg.find("style", at) - at);
  EXPECT_EQ(occurrences(path, "M"), 2u);
  EXPECT_EQ(occurrences(path, "L"), 2u);
}

TEST(LineChart, InfinitiesAreArrowsAndZeroOnALogAxisIsMissing) {
  const std::string svg =
      line_chart({{"a", {0, 1, 2, 3}, {1, kInf, 0, 10}, {}, {}}}, {"", "", "", false, true});
  expect_clean(svg);
  EXPECT_NE(svg.find("a: 1, inf"), std::string::npos);
  EXPECT_EQ(svg.find("a: 2, 0"), std::string::npos);
}

TEST(LineChart, NothingToDrawIsStillAChart) {
  for (const bool log : {false, true}) {
    expect_clean(line_chart({}, {"", "", "", log, log}));
    expect_clean(line_chart({{"a", {kNan, 1}, {1, kNan}, {}, {}}}, {"", "", "", log, log}));
  }
}

TEST(LineChart, RefusesUnequalLengths) {
  EXPECT_TRUE(throws_error(
      [] {
        line_chart({{"a", {1, 2}, {1}, {}, {}}}, {});
      },
      Errc::kConfig, {"\"a\"", "2 x", "1 y"}));
  EXPECT_TRUE(throws_error([] { line_chart({{"a", {1}, {1}, {1}, {}}}, {}); }, Errc::kConfig, {"0 hi"}));
}

TEST(BarChart, DrawsEveryBarAndMarksWhatIsNoNumber) {
  const std::string svg =
      bar_chart({"b0", "b1"}, {{"x", {1, kNan}, {0.5, kNan}, {1.5, kNan}}, {"y", {kInf, -2}, {}, {}}}, {});
  expect_clean(svg);
  EXPECT_NE(svg.find("b0 · x: 1 [0.5, 1.5]"), std::string::npos);
  EXPECT_NE(svg.find("b1 · x: nan"), std::string::npos);
  EXPECT_NE(svg.find("b0 · y: inf"), std::string::npos);
  EXPECT_NE(svg.find("b1 · y: -2"), std::string::npos);
  EXPECT_EQ(occurrences(svg, "stroke-width:1.2"), 3u);  // one whisker: a stem and two ends
}

TEST(BarChart, GrowsWithTheNumberOfBars) {
  const std::vector<std::string> groups(200, "single_transformer_blocks.17");
  const std::string svg = bar_chart(
      groups, {{"a", std::vector<double>(200, 1.0), {}, {}}, {"b", std::vector<double>(200, 2.0), {}, {}}},
      {});
  expect_clean(svg);
  EXPECT_NE(svg.find("rotate(-36"), std::string::npos);
  EXPECT_GT(std::atof(svg.c_str() + svg.find(" width=\"") + 8), 200 * 2 * 5.0);
}

TEST(BarChart, LogAxisTakesPositiveValuesOnly) {
  expect_clean(bar_chart({"a", "b", "c"}, {{"", {1e-3, 0, -1}, {}, {}}}, {"", "", "", false, true}));
  expect_clean(bar_chart({"a"}, {{"", {kNan}, {}, {}}}, {"", "", "", false, true}));
  expect_clean(bar_chart({}, {}, {}));
  EXPECT_TRUE(throws_error(
      [] {
        bar_chart({"a"}, {{"x", {1, 2}, {}, {}}}, {});
      },
      Errc::kConfig, {"\"x\"", "1 groups"}));
}

TEST(HeatMap, DrawsEveryCell) {
  const std::string svg = heat_map({.rows = {"r0", "r1"},
                                    .columns = {"c0", "c1", "c2"},
                                    .values = {1, 2, 3, kNan, kInf, 6},
                                    .value_label = "dB"},
                                   {"", "step", "layer"});
  expect_clean(svg);
  for (const char* tip : {"r0 · c0: 1<", "r1 · c0: nan<", "r1 · c1: inf<", "r1 · c2: 6<"})
    EXPECT_NE(svg.find(tip), std::string::npos) << tip;
  expect_clean(heat_map({}, {}));
  expect_clean(heat_map({.rows = {"r"}, .columns = {"c"}, .values = {kNan}}, {"", "", "", false, true}));
  EXPECT_TRUE(throws_error(
      [] {
        heat_map({.rows = {"r"}, .columns = {"c"}, .values = {1, 2}}, {});
      },
      Errc::kConfig, {"1 x 1", "2 values"}));
}

TEST(HeatMap, OneOfSeveralHasOneElementACellAndTheRangeOfAll) {
  HeatMap map{.rows = {"r"}, .columns = {"a", "b", "c"}, .values = {1, kNan, 2}};
  map.range.add({0, 4}, false);
  map.marked = 2;
  map.one_of_several = true;
  const std::string svg = heat_map(map, {"title"});
  expect_clean(svg);
  const size_t begin = svg.find("<g data-stops"), end = svg.find("</g>");
  ASSERT_LT(begin, end);
  EXPECT_EQ(occurrences(svg.substr(begin, end - begin), "<rect"), 3u);
  EXPECT_NE(svg.find("data-lo=\"0\" data-hi=\"4\" data-log=\"0\""), std::string::npos);
  EXPECT_EQ(occurrences(svg, "stroke-width:2\""), 1u);
}

ParetoPoint at(const std::string& label, double x, double y) { return {label, x, y, y - 1, y + 1}; }

TEST(ParetoFront, HoldsWhatNothingBeats) {
  const std::vector<ParetoSeries> series = {
      {"s", {at("beaten", 5, 1), at("small", 1, 1), at("worse", 1, 0), at("nan", kNan, 9)}},
      {"t",
       {at("good", 3, 4), at("twin", 3, 4), at("equal but larger", 4, 4), at("best", 5, 6),
        at("none", 0.5, kNan)}}};
  std::vector<std::string> labels;
  for (const ParetoPoint& p : pareto_front(series)) labels.push_back(p.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"small", "good", "twin", "best"}));
  EXPECT_TRUE(pareto_front({}).empty());
}

TEST(ParetoChart, DrawsPointsIntervalsFrontsAndTheirNames) {
  const std::string svg = pareto_chart({{"s", {at("a", 1, 1), at("b<&>", 2, 3), at("c", 2, 2)}},
                                        {"t", {at("d", 3, 9), {"e", 4, 1, kNan, kNan}}}},
                                       {"title", "bits", "dB"});
  expect_clean(svg);
  EXPECT_EQ(occurrences(svg, "] dB</title>"), 5u);
  EXPECT_NE(svg.find("b&lt;&amp;&gt;: 2 bits, 3 [2, 4] dB"), std::string::npos);
  EXPECT_EQ(occurrences(svg, "stroke-width:1.3;opacity:.55"), 4u * 3);  // whiskers: a stem and two ends
  EXPECT_EQ(occurrences(svg, "front of all cells"), 1u);
  EXPECT_EQ(occurrences(svg, "front of s"), 1u);
  EXPECT_EQ(occurrences(svg, "front of t"), 0u);  // one point only
  for (const char* label : {">a<", ">b&lt;&amp;&gt;<", ">d<"})
    EXPECT_NE(svg.find(label), std::string::npos) << label;
  EXPECT_EQ(svg.find(">c<"), std::string::npos);
  expect_clean(pareto_chart({}, {}));
  expect_clean(pareto_chart({{"s", {at("a", kNan, kInf), at("b", kInf, 1)}}}, {"", "", "", true, true}));
}

TEST(Charts, ATitleStandsAboveTheDrawing) {
  const std::string svg = line_chart({}, {"Title <1>"});
  EXPECT_NE(svg.find("aria-label=\"Title &lt;1&gt;\" viewBox=\"0 -28 960 368\" width=\"960\" height=\"368\""),
            std::string::npos);
  EXPECT_NE(svg.find(">Title &lt;1&gt;</text>"), std::string::npos);
}

TEST(Charts, SmallLineChartIsTheGoldenOne) {
  const std::string path = SVDLAB_SOURCE_DIR "/tests/golden/line_chart.svg";
  const std::string svg = line_chart(
      {{"rtn", {4, 8, 16}, {16, 17, 17.5}, {}, {}}, {"svdquant", {4, 8, 16}, {18, 20, kNan}, {}, {}}},
      {"golden", "rank", "SQNR (dB)", true, false, 300, 180});
  if (std::getenv("SVDLAB_UPDATE_GOLDEN")) write_file(path, svg);
  EXPECT_EQ(svg, read_file(path));
}

}  // namespace
}  // namespace svdlab::report
