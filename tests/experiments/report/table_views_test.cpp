#include "experiments/report/table_views.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "experiments/report/text.h"
#include "tests/support/support.h"

namespace svdlab::report {
namespace {

using testing::throws_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();
using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;
using Strings = std::vector<std::string>;

Table sample() {
  return {"/cells",
          {{"method", "", Strings{"rtn", "svd_quant, \"r=8\"", "caf\xc3\xa9|x"}},
           {"rank", "", Ints{0, 8, -16}},
           {"psnr", "dB", Doubles{16.31234, 21.2, kNan}},
           {"error", "", Doubles{0.1621, 1.0 / 3, kInf}}}};
}

Strings shown(Doubles values) { return display_cells({"x", "", std::move(values)}); }

TEST(DisplayCells, ShareFourSignificantDigits) {
  EXPECT_EQ(shown({16.31234, 21.2}), (Strings{"16.31", "21.20"}));
  EXPECT_EQ(shown({0.1621, 0.08}), (Strings{"0.1621", "0.0800"}));
  EXPECT_EQ(shown({4.25, 4.5}), (Strings{"4.25", "4.50"}));
  EXPECT_EQ(shown({1, 2, 300}), (Strings{"1", "2", "300"}));
  EXPECT_EQ(shown({1234.56, 7.5}), (Strings{"1235", "7.5"}));
  EXPECT_EQ(shown({0, -0.0, 0.5}), (Strings{"0.0", "0.0", "0.5"}));
}

TEST(DisplayCells, NeverHideAValue) {
  EXPECT_EQ(shown({212.13, 0.512}), (Strings{"212.1", "0.51"}));
  EXPECT_EQ(shown({0.0812, 7.612e-5}), (Strings{"0.08120", "7.61e-05"}));
  EXPECT_EQ(shown({1.5e9, 12.5}), (Strings{"1.50e+09", "12"}));
  EXPECT_EQ(shown({1e-300}), (Strings{"1.00e-300"}));
}

TEST(DisplayCells, WhatIsNoNumberIsNamed) {
  EXPECT_EQ(shown({kNan, kInf, -kInf, 1.5}), (Strings{"nan", "inf", "-inf", "1.5"}));
  EXPECT_EQ(shown({kNan}), (Strings{"nan"}));
  EXPECT_TRUE(shown({}).empty());
}

TEST(Ranks, BestAndSecondOfFiniteValues) {
  const Column c{"x", "", Doubles{3, 1, kNan, 5, 5}};
  EXPECT_EQ(ranks(c, Better::kHigher),
            (std::vector<Rank>{Rank::kSecond, Rank::kNone, Rank::kNone, Rank::kBest, Rank::kBest}));
  EXPECT_EQ(ranks(c, Better::kLower)[1], Rank::kBest);
  EXPECT_EQ(ranks({"x", "", Ints{7}}, Better::kHigher), (std::vector<Rank>{Rank::kNone}));
  EXPECT_EQ(ranks({"x", "", Ints{7, 8}}, Better::kLower), (std::vector<Rank>{Rank::kBest, Rank::kSecond}));
  EXPECT_EQ(ranks({"x", "", Doubles{kNan, kNan}}, Better::kLower), (std::vector<Rank>(2, Rank::kNone)));
}

TEST(Csv, IsRfc4180AtFullPrecision) {
  EXPECT_EQ(to_csv(sample()),
            "method,rank,psnr,error\r\n"
            "rtn,0,16.31234,0.1621\r\n"
            "\"svd_quant, \"\"r=8\"\"\",8,21.2,0.3333333333333333\r\n"
            "caf\xc3\xa9|x,-16,nan,inf\r\n");
  EXPECT_EQ(to_csv({"/t", {{"a\nb", "", Strings{"line\r\nbreak"}}}}), "\"a\nb\"\r\n\"line\r\nbreak\"\r\n");
  EXPECT_EQ(to_csv({"/t", {{"a", "", Ints{}}}}), "a\r\n");
}

TEST(Csv, DoublesReadBackEqual) {
  for (const double v : {0.1, 1e-310, 1.7976931348623157e308, 123456789.123456789, -0.0})
    EXPECT_EQ(std::strtod(shortest(v).c_str(), nullptr), v);
}

TEST(Markdown, MarksTheBest) {
  EXPECT_EQ(to_markdown(sample(), {"Cells", {{"psnr", Better::kHigher}}}),
            "Cells\n\n"
            "| method | rank | psnr (dB) ↑ | error |\n"
            "| :--- | ---: | ---: | ---: |\n"
            "| rtn | 0 | <u>16.31</u> | 0.1621 |\n"
            "| svd_quant, \"r=8\" | 8 | **21.20** | 0.3333 |\n"
            "| caf\xc3\xa9\\|x | -16 | nan | inf |\n");
}

TEST(Latex, IsBooktabsAndEscaped) {
  EXPECT_EQ(to_latex(sample(), {"50% & more", {{"error", Better::kLower}}}),
            "\\begin{table}[t]\n\\centering\n\\caption{50\\% \\& more}\n"
            "\\begin{tabular}{lrrr}\n\\toprule\n"
            "method & rank & psnr (dB) & error $\\downarrow$ \\\\\n\\midrule\n"
            "rtn & 0 & 16.31 & \\textbf{0.1621} \\\\\n"
            "svd\\_quant, \"r=8\" & 8 & 21.20 & \\underline{0.3333} \\\\\n"
            "caf\xc3\xa9|x & $-16$ & -- & $\\infty$ \\\\\n"
            "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
  const Table odd{"/t", {{"x", "", Strings{"a~b^c\\d{e}#$"}}, {"y", "", Doubles{1.5e-7}}}};
  EXPECT_NE(to_latex(odd).find("a\\textasciitilde{}b\\textasciicircum{}c\\textbackslash{}d\\{e\\}\\#\\$"),
            std::string::npos);
  EXPECT_NE(to_latex(odd).find("$1.50 \\times 10^{-7}$"), std::string::npos);
}

TEST(Terminal, AlignsByCodePoints) {
  EXPECT_EQ(to_terminal(sample(), {"Cells", {{"psnr", Better::kHigher}}}),
            "Cells\n"
            "method            rank  psnr (dB) ↑   error\n"
            "───────────────────────────────────────────\n"
            "rtn                  0        16.31  0.1621\n"
            "svd_quant, \"r=8\"     8        21.20  0.3333\n"
            "caf\xc3\xa9|x             -16          nan     inf\n");
}

TEST(Views, RefuseUnknownColumnsAndUnequalLengths) {
  EXPECT_TRUE(throws_error(
      [] {
        to_markdown(sample(), {"", {{"pnsr", Better::kHigher}}});
      },
      Errc::kInput, {"no column \"pnsr\"", "nearest: \"psnr\""}));
  Table t = sample();
  std::get<Ints>(t.columns[1].values).pop_back();
  for (const auto& view :
       {+[](const Table& x) { return to_csv(x); }, +[](const Table& x) { return to_markdown(x); },
        +[](const Table& x) { return to_latex(x); }, +[](const Table& x) { return to_terminal(x); }})
    EXPECT_TRUE(throws_error([&] { view(t); }, Errc::kInput, {"column rank has 2 rows"}));
}

}  // namespace
}  // namespace svdlab::report
