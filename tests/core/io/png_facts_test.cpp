#include "core/io/png_facts.h"

#include <gtest/gtest.h>

#include "core/io/files.h"
#include "core/io/png.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

// A PNG's start with this depth and colour type; `chunks` before the pixel data. Checksums are not looked at.
std::string start(char depth, char colour, const std::string& chunks = "") {
  const std::string header = {0, 0, 0, 13, 'I', 'H',   'D',    'R', 0, 0, 0,
                              4, 0, 0, 0,  4,   depth, colour, 0,   0, 0};
  return "\x89PNG\r\n\x1a\n" + header + "crc." + chunks + std::string({0, 0, 0, 0}) + "IDATcrc.";
}

PngFacts facts(const std::string& bytes) {
  const TempDir dir;
  write_file(dir.file("x.png"), bytes);
  return png_facts(dir.file("x.png"));
}

TEST(PngFacts, AreThoseOfTheHeader) {
  const PngFacts own = facts(encode_png({2, 1, std::vector<uint8_t>(6)}));
  EXPECT_TRUE(own.bit_depth == 8 && !own.grey && !own.palette && !own.alpha);
  EXPECT_EQ(facts(start(16, 2)).bit_depth, 16);
  EXPECT_TRUE(facts(start(8, 3)).palette);
  EXPECT_FALSE(facts(start(8, 3)).grey);
  EXPECT_TRUE(facts(start(8, 0)).grey);
  EXPECT_TRUE(facts(start(8, 4)).grey && facts(start(8, 4)).alpha);
  EXPECT_TRUE(facts(start(8, 6)).alpha);
  const std::string transparent = std::string({0, 0, 0, 1}) + "tRNS0crc.";
  EXPECT_TRUE(facts(start(8, 3, transparent)).alpha);
  EXPECT_FALSE(facts(start(8, 3, std::string({0, 0, 0, 0}) + "gAMAcrc.")).alpha);
}

TEST(PngFacts, Refusals) {
  EXPECT_TRUE(throws_error([] { facts("no picture"); }, Errc::kInput, {"x.png", "not a readable PNG"}));
  EXPECT_TRUE(throws_error([] { facts(start(8, 2).substr(0, 20)); }, Errc::kInput, {"no header"}));
  EXPECT_TRUE(throws_error([] { png_facts("/nowhere.png"); }, Errc::kInput, {"/nowhere.png"}));
}

}  // namespace
}  // namespace svdlab
