#include "core/io/compressed_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "core/base/error.h"
#include "core/io/files.h"
#include "tests/core/io/compressed_unit_samples.h"

namespace svdlab {
namespace {

using testing::expect_identical_linears;
using testing::random_compressed;
using testing::sharing_unit;
using testing::TempDir;
using testing::throws_error;

const CompressedHeader kHeader{.fingerprint = "f00d", .model_class = "Flux", .model_hash = "abc"};

/// Every scheme there is, and scales for a row and for the whole tensor, which let rows have any length.
std::vector<Scheme> all_schemes() {
  std::vector<Scheme> out;
  for (const Scheme& scheme : built_in_schemes())
    if (scheme.weights) out.push_back(scheme);
  for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kNf4, NumberFormat::kFp4E2M1})
    for (const Grouping grouping : {Grouping::kRow, Grouping::kTensor})
      out.push_back({"whole", TensorScheme{.format = format, .grouping = grouping}, {}});
  return out;
}

TEST(CompressedFolder, GivesBackEveryBitOfEveryScheme) {
  int index = 0;
  for (const Scheme& scheme : all_schemes())
    for (const int64_t cols : {128, 131}) {
      if (scheme.weights->grouping == Grouping::kGroup && cols % scheme.weights->group != 0) continue;
      SCOPED_TRACE(testing::Message() << index << ' ' << scheme.name << ' ' << cols);
      const TempDir dir;
      const CompressedUnit unit = sharing_unit(std::to_string(index++), scheme, cols);
      const CompressedUnit alone = {{random_compressed("alone", 1, cols, 0, scheme), "g", scheme.name, "m"}};
      const std::vector<std::string> files = {write_compressed_group(dir.path(), unit, "f00d"),
                                              write_compressed_group(dir.path(), alone, "f00d")};
      write_compressed_index(dir.path(), kHeader, files);
      const CompressedFolder folder(dir.path());
      ASSERT_EQ(folder.names().size(), 4u);
      for (const UnitLinear& item : unit) {
        expect_identical_linears(folder.load(item.linear.name), item.linear);
        EXPECT_EQ(folder.linear(item.linear.name).group, item.group);
        EXPECT_EQ(folder.linear(item.linear.name).bits(), item.linear.bits());
      }
      expect_identical_linears(folder.load("alone"), alone[0].linear);
    }
  EXPECT_GE(index, 18);
}

TEST(CompressedFolder, GivesBackEveryKindOfInput) {
  const TempDir dir;
  const CompressedUnit unit = testing::input_kinds_unit("");
  write_compressed_index(dir.path(), kHeader, {write_compressed_group(dir.path(), unit, "f00d")});
  const CompressedFolder folder(dir.path());
  for (const UnitLinear& item : unit) {
    SCOPED_TRACE(item.linear.name);
    const CompressedLinear back = folder.load(item.linear.name);
    expect_identical_linears(back, item.linear);
    EXPECT_EQ(folder.linear(item.linear.name).bits(), item.linear.bits());
  }
}

TEST(CompressedFolder, WhatLinearsShareTheyShareAgain) {
  const TempDir dir;
  const std::string file = write_compressed_group(dir.path(), sharing_unit("", scheme_named("int4")), "f00d");
  write_compressed_index(dir.path(), kHeader, {file});
  const CompressedFolder folder(dir.path());
  const std::vector<CompressedLinear> linears = folder.load_unit(0);
  ASSERT_EQ(linears.size(), 3u);
  EXPECT_EQ(linears[0].smooth.data_ptr(), linears[2].smooth.data_ptr());
  EXPECT_EQ(linears[0].low_rank()->down.data_ptr(), linears[1].low_rank()->down.data_ptr());
  EXPECT_NE(linears[0].low_rank()->down.data_ptr(), linears[2].low_rank()->down.data_ptr());
  EXPECT_EQ(SafetensorsFile(dir.file(file)).entries().size(), 3u * 5 + 1 + 2);
}

// A folder of two units, to be damaged.
class DamagedFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    // 131 columns: the last nibble of every row is empty.
    const Scheme scheme{"odd", TensorScheme{.grouping = Grouping::kRow}, {}};
    files_ = {write_compressed_group(dir_.path(), sharing_unit("a.", scheme, 131), "f00d"),
              write_compressed_group(dir_.path(), sharing_unit("b.", scheme, 131), "f00d")};
    write_compressed_index(dir_.path(), kHeader, files_);
    index_ = read_file(dir_.file(kCompressedIndex));
    shard_ = read_file(dir_.file(files_[0]));
  }

  void expect_refused(const std::vector<std::string>& parts) const {
    EXPECT_TRUE(throws_error([&] { CompressedFolder(dir_.path()).load_model(); }, Errc::kInput, parts));
  }
  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  }

  TempDir dir_;
  std::vector<std::string> files_;
  std::string index_, shard_;
};

TEST_F(DamagedFolder, AnIndexThatSaysSomethingElseIsRefused) {
  const std::vector<std::tuple<std::string, std::string, std::vector<std::string>>> changes = {
      {"svdlab-compressed", "other", {"other", "svdlab-compressed"}},
      {"\"schema\": 1", "\"schema\": 2", {"schema 2"}},
      {"\"fingerprint\": \"f00d\"", "\"fingerprint\": \"beef\"", {"f00d", "beef"}},
      {"\"in_features\": 131", "\"in_features\": 130", {"segments", "131", "130"}},
      {"\"in_features\": 131", "\"in_features\": -1", {"in_features", "-1"}},
      {"\"out_features\": 24", "\"out_features\": 25", {"not those"}},
      {"\"rank\": 4", "\"rank\": 2147483648", {"rank", "2147483648"}},
      {"\"format\": \"int4\"", "\"format\": \"int3\"", {"int3", "nearest"}},
      {"\"kind\": \"low_rank\"", "\"kind\": \"spares\"", {"spares", "low_rank", "sparse"}},
      {"\"kind\": \"low_rank\"", "\"kind\": \"sparse\"", {"branches.1.count", "-1"}},
      {"\"begin\": 0", "\"begin\": 1", {"segment", "begin at 0"}},
      {"\"file\": \"a.q.safetensors\"", "\"file\": \"../a.q.safetensors\"", {"must be called"}},
      {"\"name\": \"a.k\"", "\"name\": \"a.q\"", {"a.q", "twice"}},
      {"\"producer\": \"gelu\"", "\"producer\": \"glue\"", {"glue", "nearest"}},
      {"\"scales\": \"a.k.scales\"", "\"scales\": \"a.q.scales\"", {"not those"}},
      {"\"schema\"", "\"shcema\"", {"schema"}},
  };
  for (const auto& [from, to, parts] : changes) {
    SCOPED_TRACE(from + " -> " + to);
    write_file(dir_.file(kCompressedIndex), replaced(index_, from, to));
    expect_refused(parts);
  }
  for (const size_t bytes : {size_t{0}, size_t{1}, index_.size() / 2, index_.size() - 2}) {
    write_file(dir_.file(kCompressedIndex), index_.substr(0, bytes));
    expect_refused({});
  }
  write_file(dir_.file(kCompressedIndex), index_);
  EXPECT_NO_THROW(CompressedFolder(dir_.path()).load_model());
}

TEST_F(DamagedFolder, AFileThatIsNotTheOneListedIsRefused) {
  const std::string path = dir_.file(files_[0]);
  std::filesystem::remove(path);
  expect_refused({files_[0]});
  std::filesystem::copy_file(dir_.file(files_[1]), path);
  expect_refused({files_[0], "not those"});
  write_file(path, shard_.substr(0, shard_.size() - 1));
  expect_refused({files_[0]});
  const SafetensorsFile good(dir_.file(files_[1]));
  save_safetensors(path, {{.name = "x", .tensor = at::zeros({1})}}, {{"fingerprint", "f00d"}});
  expect_refused({"linears", "not a file of a compressed model"});
  save_safetensors(path, {{.name = "x", .tensor = at::zeros({1})}}, good.metadata());
  expect_refused({"no tensor \"b."});
}

TEST_F(DamagedFolder, ValuesThatCannotBeAreRefused) {
  const std::string path = dir_.file(files_[0]);
  const auto with = [&](const std::string& name, const std::function<void(Tensor&)>& change) {
    write_file(path, shard_);
    const SafetensorsFile file(path);
    std::vector<StWrite> tensors;
    for (const auto& [key, entry] : file.entries()) {
      tensors.push_back({.name = key, .tensor = file.tensor(key).clone()});
      if (key == name) change(tensors.back().tensor);
    }
    save_safetensors(path, tensors, file.metadata());
  };
  with("a.k.scales", [](Tensor& t) { t[3][0] = std::numeric_limits<float>::quiet_NaN(); });
  expect_refused({"a.k.scales", "element 3", "nan"});
  with("a.q.smooth", [](Tensor& t) { t[5] = std::numeric_limits<float>::infinity(); });
  expect_refused({"a.q.smooth", "element 5", "inf"});
  with("a.mlp.codes", [](Tensor& t) { t[7][65] = 0x35; });
  expect_refused({"a.mlp.codes", "row 7", "131 codes"});
  with("a.k.up", [](Tensor& t) { t = t.slice(0, 0, 23).contiguous(); });
  expect_refused({"a.k.up", "[23, 4]", "[24, 4]"});
  with("a.k.bias", [](Tensor& t) { t = t.to(at::kFloat); });
  expect_refused({"a.k.bias", "F32", "BF16"});
}

TEST(CompressedUnit, WhatItsTypesCannotHoldIsNotWritten) {
  const TempDir dir;
  CompressedUnit unit = {{random_compressed("x", 8, 64, 2, scheme_named("int4")), "x", "int4", "m"}};
  unit[0].linear.smooth = unit[0].linear.smooth + 1e-4;
  EXPECT_TRUE(throws_error([&] { write_compressed_group(dir.path(), unit, "f"); }, Errc::kUnexpected,
                           {"x.smooth", "bf16"}));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  EXPECT_TRUE(throws_error([] { compressed_file_name("../x"); }, Errc::kInput, {"../x"}));
}

}  // namespace
}  // namespace svdlab
