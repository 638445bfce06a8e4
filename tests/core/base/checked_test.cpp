#include "core/base/checked.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace svdlab {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

TEST(Checked, ExactUpToTheLastValue) {
  EXPECT_EQ(checked_mul(uint64_t{1} << 32, (uint64_t{1} << 32) - 1, "size"), kMax - 0xffffffff);
  EXPECT_EQ(checked_mul(kMax, 0, "size"), 0u);
  EXPECT_EQ(checked_add(kMax - 1, 1, "size"), kMax);
}

TEST(Checked, OverflowIsAnInputErrorThatNamesTheThingAndTheValues) {
  EXPECT_TRUE(testing::throws_error([] { checked_mul(uint64_t{1} << 32, uint64_t{1} << 32, "bytes of w"); },
                                    Errc::kInput, {"bytes of w", "4294967296 * 4294967296"}));
  EXPECT_TRUE(
      testing::throws_error([] { checked_add(kMax, 1, "end of w"); }, Errc::kInput, {"end of w", " + 1"}));
}

}  // namespace
}  // namespace svdlab
