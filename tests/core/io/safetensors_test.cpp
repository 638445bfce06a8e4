#include "core/io/safetensors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/io/files.h"
#include "tests/core/io/safetensors_bytes.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using testing::expect_identical;
using testing::safetensors_bytes;
using testing::TempDir;
using testing::throws_error;

const std::string kGolden = SVDLAB_SOURCE_DIR "/tests/golden/safetensors.safetensors";

Tensor ramp() { return at::arange(6, at::kFloat) - 3; }

/// What tests/golden/make_safetensors.py put into the golden file, as far as torch 1.13 has the dtype.
std::map<std::string, Tensor> golden_values() {
  return {
      {"f64", ramp().to(at::kDouble).reshape({2, 3})},
      {"i64", ramp().to(at::kLong).reshape({2, 3})},
      {"c64", at::complex(ramp(), -ramp())},
      {"f32", ramp().reshape({2, 3})},
      {"f32.scalar", at::full({}, 2.5, at::kFloat)},
      {"f32.empty", at::empty({0, 5}, at::kFloat)},
      {"i32", ramp().to(at::kInt)},
      {"f16", ramp().to(at::kHalf)},
      {"bf16", ramp().to(at::kBFloat16).reshape({3, 2})},
      {"i16", ramp().to(at::kShort)},
      {"i8", ramp().to(at::kChar)},
      {"u8", (ramp() + 3).to(at::kByte)},
      {"bool", (at::arange(6) % 2).to(at::kBool)},
  };
}

TEST(Safetensors, ReadsWhatThePythonLibraryWrote) {
  const SafetensorsFile file(kGolden);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"origin", "python"}}));
  EXPECT_EQ(file.entries().size(), 17u);
  for (const auto& [name, expected] : golden_values()) {
    SCOPED_TRACE(name);
    expect_identical(file.tensor(name), expected);
  }
  // -3 -2 -1 0 1 2 in each float8, and 1 2 0.5 as powers of two.
  expect_identical(file.tensor("f8_e4m3"),
                   at::tensor({0xc4, 0xc0, 0xb8, 0, 0x38, 0x40}, at::kByte).reshape({2, 3}));
  expect_identical(file.tensor("f8_e5m2"), at::tensor({0xc2, 0xc0, 0xbc, 0, 0x3c, 0x40}, at::kByte));
  expect_identical(file.tensor("f8_e8m0"), at::tensor({127, 128, 126}, at::kByte));
  expect_identical(file.tensor("u32"), at::arange(6, at::kInt).view(at::kByte));
}

// The same tensors in the same order with the same metadata: the Python library's file, byte for byte.
TEST(Safetensors, WritesTheBytesThatThePythonLibraryWrites) {
  const SafetensorsFile golden(kGolden);
  std::vector<std::pair<const uint8_t*, StWrite>> by_place;
  for (const auto& [name, entry] : golden.entries())
    by_place.emplace_back(entry.data, StWrite{name, golden.tensor(name), nullptr, {}});
  for (auto& [place, item] : by_place) {
    const StEntry& entry = golden.entries().at(item.name);
    if (!item.name.starts_with("f8") && item.name != "u32") continue;
    item.raw_dtype = &entry.dtype;
    item.raw_shape = entry.shape;
  }
  // By place, then size: the empty tensor shares its place with the next one.
  std::sort(by_place.begin(), by_place.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first, a.second.tensor.nbytes()) < std::pair(b.first, b.second.tensor.nbytes());
  });
  std::vector<StWrite> tensors;
  for (const auto& [place, item] : by_place) tensors.push_back(item);
  const TempDir dir;
  save_safetensors(dir.file("again.safetensors"), tensors, golden.metadata());
  EXPECT_EQ(read_file(dir.file("again.safetensors")), read_file(kGolden));
}

TEST(Safetensors, RoundTripOfEveryTorchDtype) {
  const TempDir dir;
  std::vector<StWrite> tensors;
  for (const auto& [name, tensor] : golden_values()) tensors.push_back({name, tensor, nullptr, {}});
  save_safetensors(dir.file("a.safetensors"), tensors, {{"k", "v"}});
  const SafetensorsFile file(dir.file("a.safetensors"));
  EXPECT_EQ(file.entries().size(), tensors.size());
  EXPECT_EQ(file.metadata().at("k"), "v");
  // Sorted by name, so types are mixed and some data is not aligned: those come as copies.
  for (const StWrite& item : tensors) {
    SCOPED_TRACE(item.name);
    expect_identical(file.tensor(item.name), item.tensor);
  }
}

TEST(Safetensors, RoundTripOfEveryRawDtype) {
  struct Case {
    StDtype dtype;
    std::vector<int64_t> logical, raw;
  };
  const Case cases[] = {
      {StDtype::kF4, {3, 8}, {3, 4}},     {StDtype::kF4, {2, 3}, {3}},
      {StDtype::kF6E2M3, {2, 4}, {2, 3}}, {StDtype::kF6E3M2, {4, 3}, {9}},
      {StDtype::kF8E4M3, {2, 3}, {2, 3}}, {StDtype::kF8E5M2, {}, {}},
      {StDtype::kF8E8M0, {4, 1}, {4, 1}}, {StDtype::kU16, {2, 3}, {12}},
      {StDtype::kU32, {3}, {12}},         {StDtype::kU64, {1, 2}, {16}},
      {StDtype::kF4, {0, 4}, {0, 2}},
  };
  const TempDir dir;
  for (const Case& c : cases) {
    SCOPED_TRACE(to_string(c.dtype));
    const Tensor bytes = at::arange(c10::multiply_integers(c.raw), at::kByte).reshape(c.raw);
    save_safetensors(dir.file("a.safetensors"), {{"w", bytes, &c.dtype, c.logical}});
    const SafetensorsFile file(dir.file("a.safetensors"));
    EXPECT_EQ(file.entries().at("w").dtype, c.dtype);
    EXPECT_EQ(file.entries().at("w").shape, c.logical);
    expect_identical(file.tensor("w"), bytes);
  }
}

TEST(Safetensors, TensorOutlivesItsFileAndViewsTheMapping) {
  const TempDir dir;
  const std::string path = dir.file("a.safetensors");
  save_safetensors(path, {{"w", ramp(), nullptr, {}}});
  Tensor kept;
  {
    const SafetensorsFile file(path);
    kept = file.tensor("w");
    EXPECT_EQ(kept.data_ptr(), file.entries().at("w").data) << "no copy";
  }
  save_safetensors(path, {{"w", ramp() * 2, nullptr, {}}});
  expect_identical(kept, ramp());
  expect_identical(SafetensorsFile(path).tensor("w"), ramp() * 2);
}

TEST(Safetensors, NonContiguousTensorsAreWrittenInOrder) {
  const TempDir dir;
  const Tensor t = ramp().reshape({2, 3}).t();
  save_safetensors(dir.file("a.safetensors"), {{"w", t, nullptr, {}}});
  expect_identical(SafetensorsFile(dir.file("a.safetensors")).tensor("w"), t.contiguous());
}

TEST(Safetensors, DataBeginsAtAMultipleOfEight) {
  const TempDir dir;
  for (size_t n = 1; n <= 8; ++n) {
    save_safetensors(dir.file("a.safetensors"), {{std::string(n, 'w'), ramp(), nullptr, {}}});
    EXPECT_EQ((read_file(dir.file("a.safetensors")).size() - 24) % 8, 0u);
  }
}

TEST(Safetensors, FilesThatAreNoneAreRefusedByName) {
  const TempDir dir;
  EXPECT_TRUE(
      throws_error([&] { SafetensorsFile(dir.file("none")); }, Errc::kInput, {"none", "No such file"}));
  EXPECT_TRUE(throws_error([&] { SafetensorsFile f(dir.path()); }, Errc::kInput, {"not a regular file"}));
  ASSERT_EQ(::mkfifo(dir.file("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(
      throws_error([&] { SafetensorsFile f(dir.file("pipe")); }, Errc::kInput, {"not a regular file"}));
  write_file(dir.file("empty"), "");
  EXPECT_TRUE(throws_error([&] { SafetensorsFile f(dir.file("empty")); }, Errc::kInput, {"0 bytes"}));
}

TEST(Safetensors, UnknownTensorAndBadBoolAreRefused) {
  const TempDir dir;
  write_file(dir.file("a.safetensors"),
             safetensors_bytes(R"({"b":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})",
                               std::string("\1\2", 2)));
  const SafetensorsFile file(dir.file("a.safetensors"));
  EXPECT_TRUE(throws_error([&] { file.tensor("w"); }, Errc::kInput, {"a.safetensors", "no tensor \"w\""}));
  EXPECT_TRUE(throws_error([&] { file.tensor("b"); }, Errc::kInput, {"\"b\"", "element 1 is 2"}));
}

TEST(SafetensorsWriter, RefusalsLeaveNothingBehind) {
  const TempDir dir;
  const auto save = [&](const std::vector<StWrite>& tensors) {
    save_safetensors(dir.file("a.safetensors"), tensors);
  };
  const StDtype f4 = StDtype::kF4;
  const Tensor bytes = at::zeros({2}, at::kByte);
  EXPECT_TRUE(throws_error(
      [&] {
        save({{"w", ramp(), nullptr, {}}, {"w", ramp(), nullptr, {}}});
      },
      Errc::kInput, {"\"w\"", "taken"}));
  EXPECT_TRUE(throws_error([&] { save({{"__metadata__", ramp(), nullptr, {}}}); }, Errc::kInput, {"taken"}));
  EXPECT_TRUE(throws_error(
      [&] {
        save({{"w", Tensor(), nullptr, {}}});
      },
      Errc::kInput, {"\"w\"", "undefined"}));
  EXPECT_TRUE(throws_error(
      [&] {
        save({{"w", at::zeros({1}, at::kComplexDouble), nullptr, {}}});
      },
      Errc::kInput, {"\"w\"", "ComplexDouble"}));
  EXPECT_TRUE(throws_error(
      [&] {
        save({{"w", ramp(), &f4, {12}}});
      },
      Errc::kInput, {"\"w\"", "uint8", "Float"}));
  EXPECT_TRUE(throws_error(
      [&] {
        save({{"w", bytes, &f4, {6}}});
      },
      Errc::kInput, {"\"w\"", "3 bytes", "has 2"}));
  EXPECT_TRUE(throws_error([&] { save({{"w", bytes, &f4, {3}}}); }, Errc::kInput, {"\"w\"", "whole bytes"}));
  EXPECT_TRUE(throws_error([&] { save({{"\xff", bytes, nullptr, {}}}); }, Errc::kInput, {"UTF-8"}));
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

// The temporary is put where it will be opened, as a link to the device that is always full.
TEST(SafetensorsWriter, AFullDiskIsNamedAndTheOldFileStays) {
  const TempDir dir;
  const std::string path = dir.file("a.safetensors");
  save_safetensors(path, {{"w", ramp(), nullptr, {}}});
  fs::create_symlink("/dev/full", concat(path, ".tmp.", ::getpid()));
  EXPECT_TRUE(throws_error(
      [&] {
        save_safetensors(path, {{"w", ramp() * 2, nullptr, {}}});
      },
      Errc::kResource, {"a.safetensors", "No space left"}));
  expect_identical(SafetensorsFile(path).tensor("w"), ramp());
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace svdlab
