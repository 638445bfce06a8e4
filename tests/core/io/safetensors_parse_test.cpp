#include "core/io/safetensors_parse.h"

#include <gtest/gtest.h>

#include "core/io/safetensors_torch.h"
#include "tests/core/io/safetensors_bytes.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::safetensors_bytes;

StContent parse(const std::string& file) {
  return parse_safetensors(reinterpret_cast<const uint8_t*>(file.data()), file.size(), "x.safetensors");
}

struct Refusal {
  const char* name;
  std::string file;
  std::vector<std::string> parts;  // of the message, beside the file's name
};

std::string one(const std::string& fields, const std::string& data = "") {
  return safetensors_bytes(R"({"w":{)" + fields + "}}", data);
}

// A tensor "w" of U8 with the given offsets and, behind it, "v".
std::string two(const std::string& w, const std::string& v, size_t data) {
  return safetensors_bytes(R"({"w":{"dtype":"U8","shape":[4],"data_offsets":)" + w +
                               R"(},"v":{"dtype":"U8","shape":[4],"data_offsets":)" + v + "}}",
                           std::string(data, 'x'));
}

std::vector<Refusal> refusals() {
  const std::string u8 = R"("dtype":"U8","shape":[4],"data_offsets":[0,4])";
  std::string long_header = safetensors_bytes("{}"), huge_header = long_header, empty_header = long_header;
  long_header[0] = 3;
  huge_header.replace(0, 8, std::string("\x01\xe1\xf5\x05\0\0\0\0", 8));  // 100,000,001
  empty_header[0] = 0;
  std::string shape65;
  for (int i = 0; i < 65; ++i) shape65 += i == 0 ? "1" : ",1";
  return {
      {"nothing", "", {"0 bytes", "too short"}},
      {"half a length", "1234567", {"7 bytes", "too short"}},
      {"header longer than the file", long_header, {"header length 3", "10 bytes"}},
      {"header above the limit", huge_header, {"header length 100000001", "100000000"}},
      {"length of all ones", std::string(16, '\xff'), {"18446744073709551615"}},
      {"empty header", empty_header, {"'{'"}},
      {"not an object", safetensors_bytes("[]"), {"'{'"}},
      {"space first", safetensors_bytes(" {}"), {"'{'"}},
      {"byte order mark", safetensors_bytes("\xef\xbb\xbf{}"), {"'{'"}},
      {"not JSON", safetensors_bytes("{\"w\":"), {"not valid JSON at byte 1"}},
      {"text behind the JSON", safetensors_bytes("{}}"), {"not valid JSON at byte 11"}},
      {"name not UTF-8", safetensors_bytes("{\"\xff\":{" + u8 + "}}", "abcd"), {"not valid JSON"}},
      {"duplicate name",
       safetensors_bytes("{\"w\":{" + u8 + "},\"w\":{" + u8 + "}}", "abcd"),
       {"\"w\" occurs twice"}},
      {"duplicate name by escape",
       safetensors_bytes("{\"w\":{" + u8 + R"(},"\u0077":{)" + u8 + "}}", "abcd"),
       {"\"w\" occurs twice"}},
      {"duplicate metadata", safetensors_bytes(R"({"__metadata__":{},"__metadata__":{}})"), {"occurs twice"}},
      {"duplicate metadata name",
       safetensors_bytes(R"({"__metadata__":{"a":"1","a":"2"}})"),
       {"\"a\" occurs twice"}},
      {"duplicate field", one(u8 + R"(,"shape":[4])", "abcd"), {"\"w\"", "\"shape\" occurs twice"}},
      {"unknown field", one(u8 + R"(,"stride":[1])", "abcd"), {"\"w\"", "\"stride\"", "unknown field"}},
      {"unknown dtype",
       one(R"("dtype":"Q4","shape":[4],"data_offsets":[0,4])", "abcd"),
       {"\"w\"", "dtype \"Q4\""}},
      {"dtype not a text",
       one(R"("dtype":4,"shape":[4],"data_offsets":[0,4])", "abcd"),
       {"\"dtype\"", "not 4"}},
      {"dtype a list",
       one(R"("dtype":["U8"],"shape":[4],"data_offsets":[0,4])", "abcd"),
       {"\"dtype\"", "not a list"}},
      {"tensor not a map", safetensors_bytes(R"({"w":7})"), {"\"w\" must be a map", "not 7"}},
      {"tensor null", safetensors_bytes(R"({"w":null})"), {"\"w\" must be a map", "not null"}},
      {"no dtype", one(R"("shape":[4],"data_offsets":[0,4])", "abcd"), {"\"w\" needs dtype"}},
      {"no shape", one(R"("dtype":"U8","data_offsets":[0,4])", "abcd"), {"\"w\" needs dtype, shape"}},
      {"no offsets", one(R"("dtype":"U8","shape":[4])", "abcd"), {"\"w\" needs", "data_offsets"}},
      {"one offset",
       one(R"("dtype":"U8","shape":[4],"data_offsets":[0])", "abcd"),
       {"\"w\" needs", "two data_offsets"}},
      {"three offsets",
       one(R"("dtype":"U8","shape":[4],"data_offsets":[0,4,4])", "abcd"),
       {"a third number"}},
      {"negative shape",
       one(R"("dtype":"U8","shape":[-4],"data_offsets":[0,4])", "abcd"),
       {"\"shape\"", "not -4"}},
      {"fractional shape",
       one(R"("dtype":"U8","shape":[4.0],"data_offsets":[0,4])", "abcd"),
       {"\"shape\"", "not 4.0"}},
      {"shape of 2^63",
       one(R"("dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4])", "abcd"),
       {"\"shape\"", "not 9223372036854775808"}},
      {"shape of 2^64",
       one(R"("dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,4])", "abcd"),
       {"\"shape\"", "not 18446744073709551616"}},
      {"shape product overflows",
       one(R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4])", "abcd"),
       {"\"w\"", "overflows"}},
      {"bits overflow",
       one(R"("dtype":"F64","shape":[288230376151711744],"data_offsets":[0,4])", "abcd"),
       {"\"w\"", "overflows"}},
      {"bits above 63",
       one(R"("dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,4])", "abcd"),
       {"\"w\"", "more than 2^63 - 1"}},
      {"strides of an empty tensor overflow",
       one(R"("dtype":"U8","shape":[0,4294967296,4294967296],"data_offsets":[0,0])"),
       {"\"w\"", "overflows"}},
      {"too many dimensions",
       one(R"("dtype":"U8","shape":[)" + shape65 + R"(],"data_offsets":[0,1])", "a"),
       {"\"shape\"", "64"}},
      {"nested shape",
       one(R"("dtype":"U8","shape":[[4]],"data_offsets":[0,4])", "abcd"),
       {"\"shape\"", "not a list"}},
      {"deep nesting",
       one(R"("dtype":"U8","shape":)" + std::string(100000, '[')),
       {"\"shape\"", "not a list"}},
      {"begin after end",
       one(R"("dtype":"U8","shape":[4],"data_offsets":[4,0])", "abcd"),
       {"\"w\"", "begin at 4"}},
      {"size mismatch",
       one(R"("dtype":"F16","shape":[4],"data_offsets":[0,4])", "abcd"),
       {"\"w\"", "8 bytes", "hold 4"}},
      {"past the end",
       one(R"("dtype":"U8","shape":[4],"data_offsets":[0,4])", "abc"),
       {"\"w\"", "ends at 4", "3 data"}},
      {"offsets of 2^64 - 1",
       one(R"("dtype":"U8","shape":[4],"data_offsets":[18446744073709551611,18446744073709551615])", "abcd"),
       {"\"w\" begins at 18446744073709551611", "hole"}},
      {"first not at zero",
       one(R"("dtype":"U8","shape":[4],"data_offsets":[1,5])", "abcde"),
       {"begins at 1", "hole"}},
      {"overlap", two("[0,4]", "[3,7]", 7), {"\"v\" begins at 3", "overlap"}},
      {"same place twice", two("[0,4]", "[0,4]", 4), {"begins at 0", "overlap"}},
      {"hole", two("[0,4]", "[5,9]", 9), {"\"v\" begins at 5", "hole"}},
      {"uncovered end", two("[0,4]", "[4,8]", 9), {"cover 8 of 9"}},
      {"data without tensors", safetensors_bytes("{}", "x"), {"cover 0 of 1"}},
      {"metadata not a map", safetensors_bytes(R"({"__metadata__":"x"})"), {"metadata", "map of texts"}},
      {"metadata a number", safetensors_bytes(R"({"__metadata__":{"a":1}})"), {"\"a\"", "not 1"}},
      {"metadata a map", safetensors_bytes(R"({"__metadata__":{"a":{}}})"), {"\"a\"", "an object"}},
      {"half a byte",
       one(R"("dtype":"F4","shape":[3],"data_offsets":[0,2])", "ab"),
       {"12 bits of F4", "whole bytes"}},
      {"six bits",
       one(R"("dtype":"F6_E2M3","shape":[2],"data_offsets":[0,2])", "ab"),
       {"12 bits", "whole bytes"}},
      {"hostile name", safetensors_bytes("{\"" + std::string(500, 'n') + "\\n\":1}"), {"nnn...\""}},
      {"newline in a name", safetensors_bytes(R"({"a\nb":1})"), {"\"a\\x0ab\""}},
  };
}

TEST(SafetensorsRefusal, OneCraftedFileEach) {
  for (const Refusal& r : refusals()) {
    SCOPED_TRACE(r.name);
    std::vector<std::string> parts = r.parts;
    parts.emplace_back("x.safetensors");
    EXPECT_TRUE(testing::throws_error([&] { parse(r.file); }, Errc::kInput, parts));
  }
}

TEST(SafetensorsParse, AcceptsWhatTheFormatAllows) {
  EXPECT_TRUE(parse(safetensors_bytes("{}")).entries.empty());
  EXPECT_TRUE(parse(safetensors_bytes("{}     ")).entries.empty()) << "padding";
  const auto unordered = parse(two("[4,8]", "[0,4]", 8));
  EXPECT_EQ(unordered.entries.at("w").data - unordered.entries.at("v").data, 4);
  const auto empty = parse(one(R"("dtype":"F64","shape":[2,0],"data_offsets":[0,0])"));
  EXPECT_EQ(empty.entries.at("w").shape, (std::vector<int64_t>{2, 0}));
  EXPECT_EQ(parse(one(R"("dtype":"F6_E3M2","shape":[4],"data_offsets":[0,3])", "abc")).entries.at("w").bytes,
            3u);
  EXPECT_EQ(parse(one(R"("data_offsets":[0,2],"shape":[1,4],"dtype":"F4")", "ab")).entries.at("w").bytes, 2u);
  EXPECT_EQ(parse(safetensors_bytes(R"({"__metadata__":{"a":"1"}})")).metadata.at("a"), "1");
  EXPECT_EQ(
      parse(safetensors_bytes(R"({"":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", "a")).entries.size(),
      1u);
}

TEST(SafetensorsParse, EveryTruncationIsRefused) {
  const std::string whole = two("[0,4]", "[4,8]", 8);
  ASSERT_EQ(parse(whole).entries.size(), 2u);
  for (size_t n = 0; n < whole.size(); ++n) {
    // A copy of exactly n bytes, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_TRUE(testing::throws_error([&] { parse_safetensors(part.data(), n, "x"); }, Errc::kInput)) << n;
  }
}

TEST(SafetensorsDtype, NamesAreTheFormatsOwnAndRead) {
  EXPECT_EQ(to_string(StDtype::kF8E4M3), "F8_E4M3");
  EXPECT_EQ(to_string(StDtype::kBf16), "BF16");
  for (int i = 0; i <= static_cast<int>(StDtype::kC64); ++i) {
    const auto dtype = static_cast<StDtype>(i);
    EXPECT_EQ(dtype_named(to_string(dtype)), dtype);
    const auto torch = torch_dtype(dtype);
    if (torch) {
      EXPECT_EQ(bits_of(dtype), 8 * static_cast<int>(c10::elementSize(*torch)));
      EXPECT_EQ(dtype_of(*torch), dtype);
    }
  }
  EXPECT_FALSE(dtype_named("f32"));
}

}  // namespace
}  // namespace svdlab
