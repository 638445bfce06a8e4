#include "core/base/error.h"

#include <gtest/gtest.h>

namespace svdlab {
namespace {

TEST(Error, StaysOneLineWhateverATextHolds) {
  EXPECT_EQ(on_one_line("layer 3: é"), "layer 3: é");
  EXPECT_EQ(on_one_line(std::string("a\nb\0\x1b[2J\x7f", 9)), "a\\x0ab\\x00\\x1b[2J\\x7f");
  const Error e(Errc::kInput, "key \"a\nb\"");
  EXPECT_STREQ(e.what(), "key \"a\\x0ab\"");
  EXPECT_EQ(e.exit_code(), 3);
}

}  // namespace
}  // namespace svdlab
