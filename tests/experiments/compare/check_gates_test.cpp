#include "experiments/compare/check_gates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/io/yaml.h"
#include "experiments/compare/verdict.h"
#include "tests/experiments/compare/compared.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::drop_row;
using testing::known_file;
using testing::number_at;

class CheckGates : public ::testing::Test {
 protected:
  GateResult check(const std::string& gate, const std::string& only = "") {
    return check_gates(parse_gates(parse_yaml("[" + gate + "]", "gates.yaml")), a_, b_,
                       only.empty() ? RowFilter() : parse_filter(only))
        .front();
  }
  double& b(const std::string& table, const std::string& column, size_t row) {
    return number_at(b_.tables, table, column, row);
  }

  ComparedFile a_ = known_file("A"), b_ = known_file("B");
};

constexpr const char* kSqnr = "{table: layers, metric: output_sqnr_db, max_drop: 0.5}";

TEST_F(CheckGates, ADropIsOneOfTheMetricThatShouldNotFall) {
  b("/layers", "output_sqnr_db", 2) += 7;  // better
  GateResult r = check(kSqnr);
  EXPECT_TRUE(r.passed());
  EXPECT_EQ(r.compared, 4u);
  EXPECT_EQ(r.worst_change, 0);
  b("/layers", "output_sqnr_db", 3) -= 0.5;  // exactly the limit
  EXPECT_TRUE(check(kSqnr).passed());
  b("/layers", "output_sqnr_db", 1) -= 0.75;
  b("/layers", "output_sqnr_db", 3) -= 0.5;
  r = check(kSqnr);
  ASSERT_EQ(r.offenders.size(), 2u);
  EXPECT_EQ(r.worst_change, 1);
  EXPECT_EQ(key_text(r.first().key), "int4/rtn block.1.to_q");
  EXPECT_EQ(key_text(r.worst().key), "nvfp4/rtn block.1.to_q");
  EXPECT_EQ(r.worst().what, "output_sqnr_db 31 -> 30");
}

TEST_F(CheckGates, RisesAndChangesAndPercent) {
  const std::string rise = "{table: trajectory, metric: latent_rel_error, max_rise: 10%}";
  b("/trajectory", "latent_rel_error", 1) = 0.2 * 1.09;
  b("/trajectory", "latent_rel_error", 2) = 0;
  EXPECT_TRUE(check(rise).passed());
  b("/trajectory", "latent_rel_error", 1) = 0.2 * 1.11;
  EXPECT_EQ(key_text(check(rise).first().key), "int4/rtn step 1");
  EXPECT_NEAR(check(rise).worst_change, 0.11, 1e-12);
  const std::string change = "{table: trajectory, metric: latent_rel_error, max_change: 0.05}";
  EXPECT_EQ(key_text(check(change).first().key), "nvfp4/rtn step 0") << "better is a change, too";
}

TEST_F(CheckGates, FromZeroNoRelativeChangeIsAllowed) {
  number_at(a_.tables, "/trajectory", "latent_rel_error", 0) = 0;
  EXPECT_FALSE(check("{table: trajectory, metric: latent_rel_error, max_rise: 50%}").passed());
  b("/trajectory", "latent_rel_error", 0) = 0;
  EXPECT_TRUE(check("{table: trajectory, metric: latent_rel_error, max_rise: 0%}").passed());
}

TEST_F(CheckGates, NanFailsOnEitherSideAndOnBoth) {
  const double nan = std::nan("");
  b("/layers", "output_sqnr_db", 0) = nan;
  EXPECT_FALSE(check(kSqnr).passed());
  EXPECT_EQ(check(kSqnr).worst().what, "output_sqnr_db 20 -> nan");
  number_at(a_.tables, "/layers", "output_sqnr_db", 0) = nan;
  EXPECT_FALSE(check(kSqnr).passed());
  b("/layers", "output_sqnr_db", 0) = 20;
  EXPECT_FALSE(check(kSqnr).passed());
}

TEST_F(CheckGates, InfinitiesEqualOnlyThemselves) {
  const double inf = std::numeric_limits<double>::infinity();
  number_at(a_.tables, "/layers", "output_sqnr_db", 0) = inf;
  EXPECT_FALSE(check(kSqnr).passed());
  EXPECT_FALSE(check("{table: layers, metric: output_sqnr_db, max_drop: 50%}").passed());
  b("/layers", "output_sqnr_db", 0) = inf;
  EXPECT_TRUE(check(kSqnr).passed());
  number_at(a_.tables, "/layers", "output_sqnr_db", 0) = 20;
  EXPECT_TRUE(check(kSqnr).passed()) << "an error that vanished is no drop";
}

TEST_F(CheckGates, RowsOfOneSideFailByName) {
  drop_row(b_.tables, "/layers", 1);
  drop_row(a_.tables, "/layers", 2);
  const GateResult r = check(kSqnr);
  EXPECT_EQ(r.compared, 2u);
  ASSERT_EQ(r.offenders.size(), 2u);
  EXPECT_EQ(key_text(r.first().key) + ": " + r.first().what, "int4/rtn block.1.to_q: only in A");
  EXPECT_EQ(key_text(r.offenders[1].key) + ": " + r.offenders[1].what, "nvfp4/rtn block.0.to_q: only in B");
  const std::string text = verdict_text({r}, "svdlab compare A B --gate g");
  EXPECT_NE(text.find("on one side only: int4/rtn block.1.to_q (in A); nvfp4/rtn block.0.to_q (in B)"),
            std::string::npos)
      << text;
}

TEST_F(CheckGates, RowsOfTheReferenceHaveNoNumbersAndAreLeftOut) {
  const GateResult r = check("{table: samples, metric: psnr_db, max_drop: 0}");
  EXPECT_TRUE(r.passed());
  EXPECT_EQ(r.compared, 8u);
  EXPECT_EQ(r.left_out, 1u);
  b_.status["16-bit"] = "failed";
  EXPECT_FALSE(check("{table: samples, metric: psnr_db, max_drop: 0}").passed());
}

TEST_F(CheckGates, PatternsChooseRows) {
  b("/layers", "output_sqnr_db", 0) -= 3;
  EXPECT_TRUE(check("{table: layers, metric: output_sqnr_db, max_drop: 0.5, cell: nvfp4/*}").passed());
  EXPECT_TRUE(check("{table: layers, metric: output_sqnr_db, max_drop: 0.5, layer: '*.1.*'}").passed());
  EXPECT_FALSE(check("{table: layers, metric: output_sqnr_db, max_drop: 0.5, role: q}").passed());
  EXPECT_EQ(check(kSqnr, "cell=int4/rtn,layer=block.0.to_q").compared, 1u);
  EXPECT_TRUE(check(kSqnr, "table=layers,cell=nvfp4/rtn").passed());
}

TEST_F(CheckGates, PatternsThatMatchNothingAreRefusedWithTheNearest) {
  const auto refused = [&](const std::string& gate, const std::string& only, std::vector<std::string> parts) {
    return testing::throws_error([&] { check(gate, only); }, Errc::kConfig, parts);
  };
  EXPECT_TRUE(refused("{table: layers, metric: output_sqnr_db, max_drop: 1, cell: int4/rtm}", "",
                      {"int4/rtm", "nearest: \"int4/rtn\""}));
  EXPECT_TRUE(refused("{table: layers, metric: output_sqnr_db, max_drop: 1, layer: 'x*'}", "",
                      {"x*", "neither file"}));
  EXPECT_TRUE(refused(kSqnr, "cel=int4/rtn", {"cel", "nearest: \"cell\""}));
  EXPECT_TRUE(refused(kSqnr, "table=layer", {"layer", "nearest: \"layers\""}));
  EXPECT_TRUE(refused(kSqnr, "cell=int4/rtm", {"nearest: \"int4/rtn\""}));
  EXPECT_TRUE(refused(kSqnr, "table=samples", {"nothing to compare"}));
  EXPECT_TRUE(
      refused("{table: cells, metric: psnr_db, max_drop: 1, cell: 16-bit}", "", {"nothing to compare"}));
  EXPECT_TRUE(testing::throws_error([] { parse_filter("int4"); }, Errc::kConfig, {"column=pattern"}));
}

TEST_F(CheckGates, ExactSeesTheLastBitEveryColumnAndTexts) {
  EXPECT_TRUE(check("{table: layers, exact: true}").passed());
  b("/layers", "seconds", 0) = 77;  // timings are nobody's business
  EXPECT_TRUE(check("{table: layers, exact: true}").passed());
  double& x = b("/layers", "residual_energy", 2);
  x = std::nextafter(x, 2);
  const GateResult r = check("{table: layers, exact: true}");
  ASSERT_EQ(r.offenders.size(), 1u);
  EXPECT_EQ(r.first().what, "residual_energy 1 -> 1.0000000000000002");
  EXPECT_TRUE(check("{table: layers, metric: output_sqnr_db, exact: true}").passed());
  for (Table& t : b_.tables)
    if (t.name == "/samples") texts(t, "png_sha256")[3] = "1";
  EXPECT_EQ(check("{table: samples, exact: true}").first().what, "png_sha256 0 -> 1");
}

TEST_F(CheckGates, AColumnThatOneSideLacksIsNamed) {
  for (Table& t : b_.tables)
    if (t.name == "/layers") t.columns.pop_back(), t.columns.erase(t.columns.begin() + 12);
  EXPECT_TRUE(testing::throws_error([&] { check(kSqnr); }, Errc::kInput, {"output_sqnr_db"}));
  EXPECT_TRUE(testing::throws_error([&] { check("{table: layers, exact: true}"); }, Errc::kInput,
                                    {"B", "layers", "output_sqnr_db"}));
}

TEST_F(CheckGates, PairedJudgesTheIntervalOfTheMeanDifference) {
  const std::string gate = "{table: samples, metric: psnr_db, max_drop: 0.5, paired: true}";
  // One picture worse by 2 dB, the others better: the mean has fallen by chance, perhaps.
  b("/samples", "psnr_db", 1) -= 4, b("/samples", "psnr_db", 2) += 0.5, b("/samples", "psnr_db", 3) += 0.5;
  GateResult r = check(gate);
  EXPECT_TRUE(r.passed());
  EXPECT_EQ(r.compared, 2u);
  EXPECT_FALSE(check("{table: samples, metric: psnr_db, max_drop: 0.5}").passed());
  // Every picture of a cell worse by 0.6 dB: for sure.
  for (const size_t row : {5, 6, 7, 8}) b("/samples", "psnr_db", row) -= 0.6;
  r = check(gate);
  ASSERT_EQ(r.offenders.size(), 1u);
  EXPECT_EQ(key_text(r.first().key), "nvfp4/rtn");
  EXPECT_NEAR(r.worst_change, 0.6, 1e-9);
  EXPECT_NE(r.first().what.find("-0.6000 [-0.6000, -0.6000] over 4 items"), std::string::npos)
      << r.first().what;
  b("/samples", "psnr_db", 5) = std::nan("");
  EXPECT_FALSE(check("{table: samples, metric: psnr_db, max_drop: 100, paired: true}").passed());
  drop_row(b_.tables, "/samples", 5);
  EXPECT_EQ(check("{table: samples, metric: psnr_db, max_drop: 100, paired: true}").first().what,
            "only in A");
}

TEST_F(CheckGates, TheVerdictHasMarginsAndCommands) {
  b("/layers", "output_sqnr_db", 1) -= 0.75;
  const auto results = check_gates(
      parse_gates(parse_yaml(
          "[" + std::string(kSqnr) + ", {table: cells, metric: bits_per_weight, max_rise: 1%}]", "g")),
      a_, b_, {});
  const std::string text = verdict_text(results, "svdlab compare A B --gate g");
  for (const char* part :
       {"FAIL  layers output_sqnr_db max_drop 0.5: 4 values, 1 offenders, worst 0.75, margin -0.25\n",
        "first: int4/rtn block.1.to_q: output_sqnr_db 21 -> 20.25\n",
        "svdlab compare A B --gate g --only table=layers,cell=int4/rtn,layer=block.1.to_q\n",
        "pass  cells bits_per_weight max_rise 1%: 3 values, worst 0%, margin 1%"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_TRUE(testing::throws_error([&] { require_passed(results); }, Errc::kGate,
                                    {"1 of 2 gates", "int4/rtn block.1.to_q", "21 -> 20.25"}));
  EXPECT_EQ(shell_word("a b's"), "'a b'\\''s'");
}

TEST(RowFilter, TextIsReadBackAndOddNamesBecomeWildcards) {
  const RowFilter filter = {{"cell", "a,b=c d"}, {"layer", "block.0"}};
  EXPECT_EQ(filter_text(filter), "cell=a?b?c?d,layer=block.0");
  const RowFilter back = parse_filter(filter_text(filter));
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].second, "a?b?c?d");
}

TEST(PairRows, RowsOfOneKeyArePairedInTheirOrder) {
  const auto table = [](const std::vector<std::string>& layers) {
    return Table{"/layers",
                 {{"cell", "", std::vector<std::string>(layers.size(), "c")}, {"layer", "", layers}}};
  };
  const auto text = [&](const std::vector<std::string>& a, const std::vector<std::string>& b) {
    std::string out;
    for (const RowPair& r : pair_rows(table(a), table(b), {}))
      out += r.key[1].second + (r.a ? std::to_string(*r.a) : "-") + (r.b ? std::to_string(*r.b) : "-") + " ";
    return out;
  };
  EXPECT_EQ(text({"x", "y", "x"}, {"x", "x", "y"}), "x00 y12 x21 ");
  EXPECT_EQ(text({"x", "y", "x"}, {"y", "x"}), "x01 y10 x2- ");
  EXPECT_EQ(text({"x"}, {"z", "x", "x"}), "x01 x-2 z-0 ");
}

}  // namespace
}  // namespace svdlab
