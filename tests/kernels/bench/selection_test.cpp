#include "kernels/bench/selection.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "kernels/bench/suite.h"
#include "kernels/cuda_device.h"

namespace svdlab::bench {
namespace {

TEST(BenchSelection, WithoutNamesEverythingIsTimed) {
  EXPECT_TRUE(is_selected({}, "gemm", "exact 192x2"));
  EXPECT_TRUE(is_selected({}, "small_m", "cublas bf16"));
}

TEST(BenchSelection, KindsAndVariantsRestrictEachOnItsOwn) {
  const Selection prologue{.only = {"prologue"}}, both{.only = {"gemm", "linear", "nvfp4"}};
  EXPECT_TRUE(is_selected(prologue, "prologue", "int4 behind gelu"));
  EXPECT_FALSE(is_selected(prologue, "gemm", "exact"));
  EXPECT_TRUE(is_selected(both, "linear", "nvfp4"));
  EXPECT_FALSE(is_selected(both, "linear", "exact"));
  EXPECT_FALSE(is_selected(both, "prologue", "nvfp4"));
  EXPECT_TRUE(is_selected_kind(both, "gemm"));
  EXPECT_FALSE(is_selected_kind(both, "small_m"));
}

TEST(BenchSelection, AnUnknownNameIsRefusedWithTheNearest) {
  try {
    check_selection({.only = {"prolog"}});
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::kConfig);
    EXPECT_NE(std::string(e.what()).find("\"prologue\""), std::string::npos) << e.what();
  }
}

TEST(BenchMeasurement, ARowHasAsManyCellsAsTheHeadAndNoCommaInThem) {
  const Measurement m{.what = "gemm", .variant = "exact", .m = 4608, .cold_us = 1.25, .error = "a, b\nc"};
  const auto cells = measurement_cells(m);
  ASSERT_EQ(cells.size(), measurement_columns().size());
  EXPECT_EQ(cells[6], "1.25");
  EXPECT_EQ(cells.back(), "a; b;c");
  EXPECT_EQ(csv_line({"a", "", "b"}), "a,,b");
}

TEST(BenchSuite, WithoutCudaIsRefusedByName) {
  if (cuda_device_problem().empty()) GTEST_SKIP() << "there is a GPU";
  try {
    run_suite({}, [](const Measurement&) { FAIL() << "measured something"; });
    FAIL() << "ran";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::kConfig);
  }
}

}  // namespace
}  // namespace svdlab::bench
