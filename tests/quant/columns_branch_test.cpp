#include "tests/quant/weight_problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::embedded_linears;
using testing::EmbeddedGroup;
using testing::expect_close;
using testing::expect_identical;
using testing::OutlierGroup;
using testing::output_error;
using testing::recipe;
using testing::throws_error;

std::string columns(double threshold, bool dynamic = false, const char* preset = "rtn") {
  return concat("{preset: ", preset, ", branch: {columns: {threshold: ", threshold,
                ", dynamic: ", dynamic ? "true" : "false", "}}}");
}

const ColumnsBranch* columns_of(const CompressedLinear& linear) {
  for (const Branch& b : linear.branches)
    if (const auto* found = std::get_if<ColumnsBranch>(&b)) return found;
  return nullptr;
}

class ColumnsBranchSchemes : public ::testing::TestWithParam<std::string> {};

TEST_P(ColumnsBranchSchemes, ThresholdZeroIsSixteenBit) {
  const OutlierGroup g("columns", {48, 32}, 128, GetParam());
  for (const bool dynamic : {false, true})
    for (const char* preset : {"rtn", "svdquant"}) {
      SCOPED_TRACE(concat(preset, dynamic ? " dynamic" : ""));
      const auto c = compress(g.problem, columns(0, dynamic, preset));
      EXPECT_TRUE(output_error(g, c) < 1e-12);
      EXPECT_EQ(columns_of(c.linears[0])->columns.numel(), 128);
    }
}

TEST_P(ColumnsBranchSchemes, AThresholdOutOfReachIsThePlainScheme) {
  const OutlierGroup g("columns", {48}, 128, GetParam());
  for (const char* preset : {"rtn", "svdquant"}) {
    SCOPED_TRACE(preset);
    const auto plain = compress(g.problem, concat("preset: ", preset)),
               fixed = compress(g.problem, columns(1e30, false, preset)),
               dynamic = compress(g.problem, columns(1e30, true, preset));
    const Tensor y = run_compressed(plain.linears[0], g.x, Execution::kCodes);
    EXPECT_EQ(fixed.linears[0].branches.size(), plain.linears[0].branches.size());
    expect_identical(run_compressed(fixed.linears[0], g.x, Execution::kCodes), y);
    expect_identical(run_compressed(dynamic.linears[0], g.x, Execution::kCodes), y);
  }
}

// Row 27: 6 of 128 channels hold the outliers; without them a row of integers is enough.
TEST_P(ColumnsBranchSchemes, TheChannelsOfTheOutliersAndNoOther) {
  const OutlierGroup g("columns", {96}, 128, GetParam());
  const auto c = compress(g.problem, columns(8));
  EXPECT_EQ(columns_of(c.linears[0])->columns.numel(), 6);
  const double plain = output_error(g, "preset: rtn"), split = output_error(g, c);
  std::printf("%s: %.4f, with 6 of 128 columns in 16 bit %.4f\n", GetParam().c_str(), std::sqrt(plain),
              std::sqrt(split));
  EXPECT_TRUE(split < 0.2 * plain) << split << " " << plain;
}

TEST_P(ColumnsBranchSchemes, DynamicTakesWhatTheTokensReach) {
  const OutlierGroup g("columns", {64}, 128, GetParam());
  const auto dynamic = compress(g.problem, columns(8, true)), fixed = compress(g.problem, columns(8));
  // The same columns are taken of these tokens, but the groups of the weights hold all columns.
  expect_identical(columns_taken(*columns_of(dynamic.linears[0]), g.x),
                   columns_of(fixed.linears[0])->columns);
  EXPECT_TRUE(output_error(g, dynamic) < 0.5 * output_error(g, "preset: rtn"));
  const Tensor quiet = g.x.clamp(-1, 1), y = run_compressed(dynamic.linears[0], quiet, Execution::kCodes);
  CompressedLinear low_bit = dynamic.linears[0];
  low_bit.branches.pop_back();
  expect_identical(y, run_compressed(low_bit, quiet, Execution::kCodes));
}

TEST_P(ColumnsBranchSchemes, CodesRunAsDecodedAndBitsAreCounted) {
  const OutlierGroup g("columns", {48, 32}, 128, GetParam(), /*tokens=*/64);
  for (const bool dynamic : {false, true}) {
    const auto c = compress(g.problem, columns(8, dynamic, "svdquant"));
    testing::expect_codes_run_as_decoded(g, c);
    CompressedLinear without = c.linears[0];
    without.branches.pop_back();
    EXPECT_EQ(c.linears[0].bits() - without.bits(), dynamic ? 16 * 48 * 128 : 16 * 48 * 6 + 16 * 6);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ColumnsBranchSchemes, ::testing::Values("w8a8", "int4", "nvfp4"),
                         [](const auto& info) { return info.param; });

TEST(ColumnsBranch, SvdquantBesideItIsBetterThanEitherAlone) {
  OutlierGroup g("columns-svdquant", {96}, 256, "int4");
  const double both = output_error(g, "preset: svdquant-columns"),
               columns_alone = output_error(g, "preset: llm-int8"),
               svdquant = output_error(g, "preset: svdquant-iterated");
  EXPECT_TRUE(both < columns_alone) << both << " " << columns_alone;
  EXPECT_TRUE(both < svdquant) << both << " " << svdquant;
}

TEST(ColumnsBranch, OnTheEmbeddedModelsLayers) {
  for (const LinearSpec& linear : embedded_linears())
    for (const char* scheme : {"w8a8", "int4"}) {
      const EmbeddedGroup g(linear, scheme);
      const double plain = output_error(g, "preset: rtn"), split = output_error(g, columns(8));
      EXPECT_TRUE(split < 0.3 * plain) << linear.name << " " << scheme << ": " << split << " " << plain;
    }
}

TEST(ColumnsBranch, RefusesWhatMakesNoSense) {
  EXPECT_TRUE(
      throws_error([] { recipe("branch: {columns: {threshold: -1}}"); }, Errc::kConfig, {"threshold", "-1"}));
  OutlierGroup g("columns", {16}, 64, "int4");
  g.problem.stats = nullptr;
  EXPECT_TRUE(throws_error([&] { compress(g.problem, columns(6)); }, Errc::kConfig,
                           {"branch columns", "calibration"}));
  EXPECT_NO_THROW(compress(g.problem, columns(6, true)));
}

}  // namespace
}  // namespace svdlab
