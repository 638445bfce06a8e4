#include "core/io/png.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "core/base/rng.h"
#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

Image noise(int width, int height) {
  Image image{width, height, std::vector<uint8_t>(static_cast<size_t>(3 * width * height))};
  const Rng rng(0, "png");
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(rng.bits(i));
  return image;
}

std::string big_endian(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<uint32_t>(data.size())) + body + big_endian(static_cast<uint32_t>(crc));
}

std::string deflated(const std::string& raw) {
  uLongf size = compressBound(raw.size());
  std::string out(size, '\0');
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(raw.data()),
           raw.size());
  out.resize(size);
  return out;
}

// A PNG by hand; `rows` holds the filter byte of each row.
std::string handmade(uint32_t w, uint32_t h, int depth, int color, const std::string& rows,
                     const std::string& extra = "") {
  const std::string header = big_endian(w) + big_endian(h) + static_cast<char>(depth) +
                             static_cast<char>(color) + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + extra + chunk("IDAT", deflated(rows)) +
         chunk("IEND", "");
}

std::vector<uint8_t> decoded(const std::string& bytes) {
  const TempDir dir;
  write_file(dir.file("x.png"), bytes);
  return read_png(dir.file("x.png")).rgb;
}

using Bytes = std::vector<uint8_t>;

TEST(Png, RoundTrip) {
  const TempDir dir;
  for (const auto& [w, h] : {std::pair{1, 1}, {33, 17}, {1, 300}, {640, 2}}) {
    const Image image = noise(w, h);
    write_png(dir.file("a.png"), image, {{"svdlab", "{\"rank\": 8}"}});
    const Image back = read_png(dir.file("a.png"));
    EXPECT_EQ(back.width, w);
    EXPECT_EQ(back.height, h);
    EXPECT_EQ(back.rgb, image.rgb);
  }
}

TEST(Png, BytesAreDeterministicAndCarryTheText) {
  const std::string a = encode_png(noise(64, 48), {{"b", "2"}, {"a", "one"}});
  EXPECT_EQ(a, encode_png(noise(64, 48), {{"a", "one"}, {"b", "2"}}));
  EXPECT_NE(a.find(chunk("tEXt", std::string("a\0one", 5))), std::string::npos);
  EXPECT_EQ(a.find("tIME"), std::string::npos);
}

TEST(Png, EveryDepthBecomesRgb) {
  EXPECT_EQ(decoded(handmade(4, 1, 1, 0, {'\0', '\xA0'})),
            (Bytes{255, 255, 255, 0, 0, 0, 255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(decoded(handmade(2, 1, 4, 0, {'\0', '\x1F'})), (Bytes{17, 17, 17, 255, 255, 255}));
  EXPECT_EQ(decoded(handmade(1, 1, 16, 0, {'\0', '\x80', '\x80'})), (Bytes{128, 128, 128}));
  EXPECT_EQ(decoded(handmade(1, 1, 8, 4, {'\0', '\x07', '\x01'})), (Bytes{7, 7, 7}));
  EXPECT_EQ(decoded(handmade(1, 1, 8, 6, {'\0', '\x01', '\x02', '\x03', '\x00'})), (Bytes{1, 2, 3}));
  EXPECT_EQ(decoded(handmade(1, 1, 16, 2, {'\0', '\x01', '\x01', '\x02', '\x02', '\x03', '\x03'})),
            (Bytes{1, 2, 3}));
  const std::string palette =
      chunk("PLTE", {'\x01', '\x02', '\x03', '\x04', '\x05', '\x06'}) + chunk("tRNS", {'\x00'});
  EXPECT_EQ(decoded(handmade(2, 1, 8, 3, {'\0', '\x01', '\x00'}, palette)), (Bytes{4, 5, 6, 1, 2, 3}));
}

TEST(Png, ReadsThePhotographs) {
  const std::string path = SVDLAB_SOURCE_DIR "/../shared/data/kodak/kodim23.png";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "kodim23.png";
  const Image image = read_png(path);
  EXPECT_EQ(image.width, 768);
  EXPECT_EQ(image.height, 512);
  EXPECT_EQ(image.rgb.size(), 768u * 512 * 3);
}

TEST(PngRefuses, EveryTruncation) {
  const TempDir dir;
  const std::string bytes = encode_png(noise(40, 40));
  for (size_t n = 0; n < bytes.size(); n += n < 100 ? 1 : 97) {
    write_file(dir.file("cut.png"), bytes.substr(0, n));
    EXPECT_TRUE(throws_error([&] { read_png(dir.file("cut.png")); }, Errc::kInput, {"cut.png"})) << n;
  }
}

TEST(PngRefuses, DamageAndText) {
  const TempDir dir;
  const std::string bytes = encode_png(noise(40, 40));
  for (const size_t at : {0u, 12u, 20u, 60u, 2000u}) {
    std::string bad = bytes;
    bad[at] ^= 0x10;
    write_file(dir.file("bad.png"), bad);
    EXPECT_TRUE(throws_error([&] { read_png(dir.file("bad.png")); }, Errc::kInput, {"bad.png"})) << at;
  }
  write_file(dir.file("t.png"), "this is no picture");
  EXPECT_TRUE(throws_error([&] { read_png(dir.file("t.png")); }, Errc::kInput, {"t.png"}));
  EXPECT_TRUE(throws_error([&] { read_png(dir.file("none.png")); }, Errc::kInput, {"none.png"}));
}

TEST(PngRefuses, SizesThatTheFileCannotHold) {
  const TempDir dir;
  write_file(dir.file("huge.png"), handmade(1 << 15, 1 << 15, 8, 2, "x"));
  EXPECT_TRUE(
      throws_error([&] { read_png(dir.file("huge.png")); }, Errc::kInput, {"32768 x 32768", "limit"}));
  write_file(dir.file("big.png"), handmade(1 << 13, 1 << 13, 8, 2, "x"));
  EXPECT_TRUE(throws_error([&] { read_png(dir.file("big.png")); }, Errc::kInput, {"8192 x 8192", "cut off"}));
}

TEST(PngRefuses, ImagesAndTextThatCannotBeWritten) {
  EXPECT_TRUE(throws_error([] { encode_png({2, 2, Bytes(11)}); }, Errc::kInput, {"2 x 2", "11"}));
  EXPECT_TRUE(throws_error([] { encode_png({0, 2, {}}); }, Errc::kInput, {"0 x 2"}));
  EXPECT_TRUE(throws_error(
      [] {
        encode_png(noise(1, 1), {{std::string(80, 'k'), "v"}});
      },
      Errc::kConfig, {"79"}));
  EXPECT_TRUE(throws_error(
      [] {
        encode_png(noise(1, 1), {{"k", std::string(1, '\0')}});
      },
      Errc::kConfig, {"zero byte"}));
}

}  // namespace
}  // namespace svdlab
