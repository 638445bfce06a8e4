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
  page.images({{text, text}, {text}, {{flat(2, 2, 0), flat(300, 5, 9)}}, {{text, ""}}}, text);
  page.code(text, text);
  return page;
}

TEST(HtmlPage, IsWellFormedAndEscaped) {
  const std::string html = full_page(kNasty).finish();
  EXPECT_EQ(xml_fault(html), "");
  EXPECT_EQ(html.find("<script"), std::string::npos);
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
  EXPECT_EQ(occurrences(html, "data:image/png;base64,iVBOR"), 2u);
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
  EXPECT_NE(html.find("<td class=\"n\"><b>2</b></td>"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"n\"><u>1</u></td>"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"n missing\">–</td>"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"n\">∞</td>"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"n\">−∞</td>"), std::string::npos);
  EXPECT_EQ(html.find("nan"), std::string::npos);
}

TEST(HtmlPage, RefusesRaggedGrids) {
  HtmlPage page("t", "s");
  EXPECT_TRUE(throws_error(
      [&] {
        page.images({{"a", "b"}, {"r"}, {{flat(1, 1, 0)}}, {}}, "");
      },
      Errc::kConfig, {"1 x 2"}));
  EXPECT_TRUE(throws_error(
      [&] {
        page.images({{"a"}, {"r"}, {{flat(1, 1, 0)}}, {{}}}, "");
      },
      Errc::kConfig, {"1 x 1"}));
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

TEST(AbsoluteDifference, IsScaledAndClipped) {
  const Image a{2, 1, {0, 10, 20, 30, 40, 255}}, b{2, 1, {1, 8, 20, 35, 0, 0}};
  EXPECT_EQ(absolute_difference(a, b, 4).rgb, (std::vector<uint8_t>{4, 8, 0, 20, 160, 255}));
  EXPECT_TRUE(throws_error([] { absolute_difference(flat(1, 2, 0), flat(2, 1, 0), 1); }, Errc::kInput,
                           {"1 x 2", "2 x 1"}));
}

}  // namespace
}  // namespace svdlab::report
