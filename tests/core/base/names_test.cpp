#include "core/base/names.h"

#include <gtest/gtest.h>

namespace svdlab {
namespace {

TEST(GlobMatch, StarRunsOverDotsAndQuestionMarkIsOneCharacter) {
  EXPECT_TRUE(glob_match("*block*", "transformer_blocks.3.attn.to_q"));
  EXPECT_TRUE(glob_match("transformer_blocks.?.attn.*", "transformer_blocks.3.attn.to_q"));
  EXPECT_FALSE(glob_match("transformer_blocks.?.attn.*", "transformer_blocks.13.attn.to_q"));
  EXPECT_TRUE(glob_match("*.norm*.linear", "single.0.norm.linear"));
  EXPECT_FALSE(glob_match("*.norm*.linear", "single.0.norm.linear2"));
}

TEST(GlobMatch, NeedsTheWholeName) {
  EXPECT_TRUE(glob_match("to_q", "to_q"));
  EXPECT_FALSE(glob_match("to_q", "to_qkv"));
  EXPECT_FALSE(glob_match("to_qkv", "to_q"));
  EXPECT_FALSE(glob_match("?", ""));
  EXPECT_FALSE(glob_match("", "x"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("**", "x"));
}

TEST(GlobMatch, ALaterStarTakesOverWhenAnEarlierMatchWasTooGreedy) {
  EXPECT_TRUE(glob_match("*ab*ab", "abxabyab"));
  EXPECT_TRUE(glob_match("a*b?c", "abbbxc"));
  EXPECT_FALSE(glob_match("a*b?c", "abc"));
  EXPECT_TRUE(glob_match("*.*", "a*b.c")) << "a star in the name is a character like others";
}

TEST(GlobMatch, ManyStarsStayCheap) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));
}

TEST(Nearest, SmallestEditDistanceFirstOfEquals) {
  EXPECT_EQ(nearest("svdqant", {"rtn", "gptq", "svdquant"}), "svdquant");
  EXPECT_EQ(nearest("b", {"aa", "ab", "cb"}), "ab");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace svdlab
