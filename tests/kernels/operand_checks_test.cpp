#include "kernels/operand_checks.h"

#include <gtest/gtest.h>

#include "kernels/up_projection.h"
#include "tests/kernels/memory.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::Memory;
using testing::throws_error;

TEST(OperandChecks, Ranks) {
  for (const int64_t rank : {0, 16, 32, 48, 112, 128}) EXPECT_NO_THROW(check_rank(rank, "op"));
  EXPECT_TRUE(throws_error([] { check_rank(-16, "op"); }, Errc::kConfig, {"op", "-16", "to 0"}));
  EXPECT_TRUE(throws_error([] { check_rank(33, "op"); }, Errc::kConfig, {"33", "to 48"}));
  EXPECT_TRUE(throws_error([] { check_rank(256, "op"); }, Errc::kConfig, {"256", "to 128"}));
}

TEST(OperandChecks, Problems) {
  EXPECT_NO_THROW(check_problem(1, 64, "op"));
  EXPECT_NO_THROW(check_problem(1, kMaxColumns, "op"));
  EXPECT_TRUE(throws_error([] { check_problem(0, 64, "op"); }, Errc::kInput, {"0 rows"}));
  EXPECT_TRUE(throws_error([] { check_problem(1, 0, "op"); }, Errc::kConfig, {"0 input columns"}));
  EXPECT_TRUE(throws_error([] { check_problem(1, 2 * kMaxColumns, "op"); }, Errc::kConfig, {"262144"}));
}

TEST(OperandChecks, Workspaces) {
  EXPECT_NO_THROW(check_workspace({}, 0, "op"));
  EXPECT_TRUE(throws_error([] { check_workspace({}, 100, "op"); }, Errc::kInput, {"0 bytes", "needs 100"}));
  alignas(16) uint8_t some[8];
  EXPECT_TRUE(throws_error([&] { check_workspace({.workspace = some, .workspace_bytes = 8}, 9, "op"); },
                           Errc::kInput, {"8 bytes", "needs 9"}));
  EXPECT_TRUE(throws_error([&] { check_workspace({.workspace = some + 4, .workspace_bytes = 4}, 4, "op"); },
                           Errc::kInput, {"workspace lies 4 bytes"}));
}

TEST(OperandChecks, LowRankOperandsFitTogether) {
  Memory memory(Device::kCpu);
  const MatrixView<const float> low_rank(memory.poisoned<float>(3 * 16), 3, 16);
  const HalfMatrix up{HalfType::kBf16, {memory.poisoned<uint16_t>(8 * 16), 8, 16}};
  EXPECT_NO_THROW(check_up(low_rank, up, 3, 8, "op"));
  EXPECT_NO_THROW(check_up({}, {}, 3, 8, "op"));
  EXPECT_TRUE(throws_error([&] { check_up({}, up, 3, 8, "op"); }, Errc::kInput, {"0 columns", "up has 16"}));
  EXPECT_TRUE(
      throws_error([&] { check_up(low_rank, up, 4, 8, "op"); }, Errc::kInput, {"[3, 16]", "[4, 16]"}));
}

TEST(UpProjection, AddsTheBranchThenTheBias) {
  const std::vector<float> low_rank = {1, 2, 3, 4}, bias = {100, 200, 300};
  std::vector<uint16_t> up;
  for (const float v : {1.0f, 10.0f, -1.0f, 0.5f, 0.0f, 2.0f}) up.push_back(half_encode(HalfType::kBf16, v));
  std::vector<float> y(6, 1000.0f);
  detail::add_up_and_bias_cpu({low_rank.data(), 2, 2}, {HalfType::kBf16, {up.data(), 3, 2}}, bias.data(),
                              {y.data(), 2, 3});
  EXPECT_EQ(y, (std::vector<float>{1121, 1200, 1304, 1143, 1199, 1308}));
}

}  // namespace
}  // namespace svdlab
