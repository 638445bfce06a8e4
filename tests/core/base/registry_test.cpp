#include "core/base/registry.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace svdlab {
namespace {

using Make = int (*)();

const Registry<Make>& numbers() {
  static const Registry<Make> registry(
      "number", {{"one", "the first", [] { return 1; }}, {"two", "the second", [] { return 2; }}});
  return registry;
}

TEST(Registry, FindsByNameInTheGivenOrder) {
  EXPECT_EQ(numbers().at("two")(), 2);
  EXPECT_EQ(numbers().names(), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(numbers().entries()[0].summary, "the first");
  EXPECT_TRUE(numbers().contains("one"));
  EXPECT_FALSE(numbers().contains("One"));
}

TEST(Registry, AnUnknownNameIsAConfigErrorWithTheNearest) {
  EXPECT_TRUE(
      testing::throws_error([] { numbers().at("tow"); }, Errc::kConfig, {"number", "\"tow\"", "\"two\""}));
}

}  // namespace
}  // namespace svdlab
