#include "experiments/report/html.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "experiments/report/svg.h"
#include "tests/experiments/report/xml_check.h"
#include "tests/support/support.h"

namespace svdlab::report {
namespace {

using testing::throws_error;

const std::string kNasty = "<script>alert('x')</script> & \"quotes\" \x01";

Image flat(int width, int height, uint8_t v) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height), v)};
}

HtmlPage full_page(const std::string& text) {
  HtmlPage page(text, text);
  page.section(text);
  page.paragraph(text);
  for (const Verdict v : {Verdict::kPass, Verdict::kFail, Verdict::kNote}) page.verdict(v, text);
  page.facts({{text, text}});
  page.figures({{text, text}});
  page.table({text,
              {{text, text, std::vector<std::string>{text, text}},
               {"x", "dB", std::vector<double>{1.5, std::nan("")}}}},
             {text, {{"x", Better::kHigher}}});
  page.chart(bar_chart({text}, {{text, {1.0}, {}, {}}}, {text, text, text}), text);
  page.images({text, {text, text}, {text}, {{flat(2, 2, 0), flat(300, 5, 9)}}, {{text, ""}}}, text);
  page.comparison(flat(2, 2, 0), flat(2, 2, 1), text);
  page.charts({{text, line_chart({}, {})}, {text, line_chart({}, {text})}}, text);
  page.heat_maps({{text}, {text}, text, text, true, {{text, text, {1.0}, 0}, {"", text, {std::nan("")}}}},
                 {text}, text);
  page.terms({{text, text}});
  page.begin_fold(text, true);
  page.end_fold();
  page.code(text, text);
  return page;
}

TEST(HtmlPage, IsWellFormedAndEscaped) {
  const std::string html = full_page(kNasty).finish();
  EXPECT_EQ(xml_fault(html), "");
  EXPECT_EQ(occurrences(html, "<script"), 1u);  // the page's own
  EXPECT_EQ(html.find('\x01'), std::string::npos);
  EXPECT_GE(occurrences(html, "&lt;script&gt;alert(&#39;x&#39;)"), 20u);
  EXPECT_EQ(xml_fault(HtmlPage("", "").finish()), "");
}

TEST(HtmlPage, NeedsNothingFromOutside) {
  const std::string html = full_page("text").finish();
  EXPECT_EQ(html.find("src=\"http"), std::string::npos);
  EXPECT_EQ(html.find("<link"), std::string::npos);
  EXPECT_EQ(html.find("url("), std::string::npos);
  EXPECT_EQ(html.find("@import"), std::string::npos);
  EXPECT_EQ(occurrences(html, "fetch("), 0u);
  EXPECT_EQ(occurrences(html, "data:image/png;base64,iVBOR"), 2u + 6u);
}

TEST(HtmlPage, SectionsAreListedInOrder) {
  HtmlPage page("t", "s");
  page.section("First");
  page.section("Second");
  const std::string html = page.finish();
  EXPECT_LT(html.find("<a href=\"#s1\">First"), html.find("<a href=\"#s2\">Second"));
  EXPECT_NE(html.find("<h2 id=\"s2\">Second"), std::string::npos);
}

TEST(HtmlPage, TablesMarkRanksAndMissingValues) {
  HtmlPage page("t", "s");
  const double inf = std::numeric_limits<double>::infinity();
  page.table(
      {"/t",
       {{"a", "dB", std::vector<double>{1, 2, std::nan("")}}, {"b", "", std::vector<double>{inf, -inf, 0}}}},
      {"", {{"a", Better::kHigher}}});
  const std::string html = page.finish();
  EXPECT_NE(html.find("<td data-v=\"2\" class=\"n\"><b>2</b></td>"), std::string::npos);
  EXPECT_NE(html.find("<td data-v=\"1\" class=\"n\"><u>1</u></td>"), std::string::npos);
  EXPECT_NE(html.find("<td data-v=\"NaN\" class=\"n missing\">–</td>"), std::string::npos);
  EXPECT_NE(html.find("<td data-v=\"Infinity\" class=\"n\">∞</td>"), std::string::npos);
  EXPECT_NE(html.find("<td data-v=\"-Infinity\" class=\"n\">−∞</td>"), std::string::npos);
  EXPECT_EQ(html.substr(0, html.find("<script>")).find("nan"), std::string::npos);
}

TEST(HtmlPage, RefusesRaggedGrids) {
  HtmlPage page("t", "s");
  EXPECT_TRUE(throws_error(
      [&] {
        page.images({"", {"a", "b"}, {"r"}, {{flat(1, 1, 0)}}, {}}, "");
      },
      Errc::kConfig, {"1 x 2"}));
  EXPECT_TRUE(throws_error(
      [&] {
        page.images({"", {"a"}, {"r"}, {{flat(1, 1, 0)}}, {{}}}, "");
      },
      Errc::kConfig, {"1 x 1"}));
}

TEST(HtmlPage, TablesKeepFullPrecisionAndTheirHeadsAreButtons) {
  HtmlPage page("t", "s");
  page.table({"/t", {{"a", "dB", std::vector<double>{1.0 / 3, 200}}, {"n", "", std::vector<int64_t>{7, 8}}}});
  const std::string html = page.finish();
  EXPECT_NE(html.find("<td data-v=\"0.3333333333333333\" class=\"n\">0.33</td>"), std::string::npos);
  EXPECT_NE(html.find("<td data-v=\"7\" class=\"n\">7</td>"), std::string::npos);
  EXPECT_EQ(occurrences(html, "<th scope=\"col\" class=\"n\"><button type=\"button\""), 2u);
}

TEST(HtmlPage, HeatMapsShareTheirColoursAndListTheirValues) {
  HtmlPage page("t", "s");
  page.heat_maps(
      {{"r"}, {"c0", "c1"}, "dB", "cell", false, {{"g", "first", {1, 2}, 1}, {"g", "second", {4, NAN}}}}, {},
      "");
  const std::string html = page.finish();
  EXPECT_NE(html.find("data-lo=\"1\" data-hi=\"4\""), std::string::npos);
  EXPECT_NE(html.find("<option data-m=\"1\" data-v=\"1,2\">first</option>"), std::string::npos);
  EXPECT_NE(html.find("<option data-m=\"-1\" data-v=\"4,\">second</option>"), std::string::npos);
  EXPECT_EQ(occurrences(html, "<optgroup label=\"g\">"), 1u);
  EXPECT_NE(html.find("r · c1: 2<"), std::string::npos);
  EXPECT_TRUE(throws_error([&] { page.heat_maps({.what = "cell"}, {}, ""); }, Errc::kConfig, {"no cell"}));
  EXPECT_TRUE(throws_error(
      [&] {
        page.heat_maps({.rows = {"r"}, .columns = {"c"}, .choices = {{"", "x", {}}}}, {}, "");
      },
      Errc::kConfig, {"x", "0 values", "1 x 1"}));
}

TEST(Base64, Rfc4648Vectors) {
  const std::vector<std::pair<std::string, std::string>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) EXPECT_EQ(base64(plain), coded);
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

TEST(Reduced, AveragesSquaresOfPixels) {
  const Image wide{4, 2, {0, 0, 0, 4, 4, 4, 100, 0, 0, 100, 0, 0, 8, 8, 8, 12, 12, 12, 200, 0, 0, 200, 0, 9}};
  const Image half = reduced(wide, 2);
  EXPECT_EQ(half.width, 2);
  EXPECT_EQ(half.height, 1);
  EXPECT_EQ(half.rgb, (std::vector<uint8_t>{6, 6, 6, 150, 0, 2}));
  EXPECT_EQ(reduced(wide, 3).width, 2);  // by a whole factor
  EXPECT_EQ(reduced(wide, 4).rgb, wide.rgb);
}

TEST(AbsoluteDifference, IsScaledAndClipped) {
  const Image a{2, 1, {0, 10, 20, 30, 40, 255}}, b{2, 1, {1, 8, 20, 35, 0, 0}};
  EXPECT_EQ(absolute_difference(a, b, 4).rgb, (std::vector<uint8_t>{4, 8, 0, 20, 160, 255}));
  EXPECT_TRUE(throws_error([] { absolute_difference(flat(1, 2, 0), flat(2, 1, 0), 1); }, Errc::kInput,
                           {"1 x 2", "2 x 1"}));
}

}  // namespace
}  // namespace svdlab::report
