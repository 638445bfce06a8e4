#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using testing::expect_identical;
using testing::random_tensor;
using testing::TempDir;
using testing::throws_error;

const std::string kStem = "diffusion_pytorch_model";

std::vector<StWrite> four_tensors() {
  std::vector<StWrite> out;
  for (const char* name : {"a", "b", "c", "d"})
    out.push_back({name, random_tensor({5, 2}, name), nullptr, {}});
  return out;
}

/// Two shards, a b | c d, and their index.
void write_model(const TempDir& dir) { save_safetensors_sharded(dir.path(), kStem, four_tensors(), 80); }

std::string index_of(const TempDir& dir) { return dir.file(kStem + ".safetensors.index.json"); }

void write_weight_map(const TempDir& dir, const std::string& map) {
  write_file(index_of(dir), "{\"weight_map\": " + map + "}");
}

TEST(SafetensorsSharded, LaysOutAsDiffusersReads) {
  const TempDir dir;
  write_model(dir);
  const auto index = nlohmann::json::parse(read_file(index_of(dir)));
  EXPECT_EQ(index["metadata"]["total_size"], 160);
  const std::string first = kStem + "-00001-of-00002.safetensors",
                    second = kStem + "-00002-of-00002.safetensors";
  EXPECT_EQ(index["weight_map"], (nlohmann::json{{"a", first}, {"b", first}, {"c", second}, {"d", second}}));
  EXPECT_EQ(SafetensorsFile(dir.file(first)).metadata().at("format"), "pt");
}

TEST(SafetensorsSharded, LoadsBackFromTheFolderAndFromTheIndex) {
  for (const uint64_t limit : {1, 40, 79, 80, 120, 1000}) {
    const TempDir dir;
    save_safetensors_sharded(dir.file("new/folder"), kStem, four_tensors(), limit);
    const auto loaded = load_safetensors(dir.file("new/folder"));
    ASSERT_EQ(loaded.size(), 4u);
    for (const StWrite& item : four_tensors()) expect_identical(loaded.at(item.name), item.tensor);
    EXPECT_EQ(load_safetensors(dir.file("new/folder/" + kStem + ".safetensors.index.json")).size(), 4u);
  }
}

TEST(SafetensorsSharded, OneShardAndNoTensorHaveTheSameLayout) {
  const TempDir dir;
  save_safetensors_sharded(dir.path(), kStem, {}, 80);
  EXPECT_TRUE(fs::exists(dir.file(kStem + "-00001-of-00001.safetensors")));
  EXPECT_TRUE(SafetensorsFile(dir.file(kStem + "-00001-of-00001.safetensors")).entries().empty());
  EXPECT_TRUE(load_safetensors(dir.path()).empty());
}

TEST(SafetensorsFolder, ALoneFileNeedsNoIndex) {
  const TempDir dir;
  save_safetensors(dir.file("weights.safetensors"), four_tensors());
  EXPECT_EQ(load_safetensors(dir.path()).size(), 4u);
  EXPECT_EQ(load_safetensors(dir.file("weights.safetensors")).size(), 4u);
}

TEST(SafetensorsFolder, AnOpenChoiceIsRefused) {
  const TempDir dir;
  EXPECT_TRUE(throws_error([&] { load_safetensors(dir.path()); }, Errc::kInput, {"no .safetensors"}));
  EXPECT_TRUE(
      throws_error([&] { load_safetensors(dir.file("none")); }, Errc::kInput, {"none", "no such file"}));
  save_safetensors(dir.file("a.safetensors"), four_tensors());
  save_safetensors(dir.file("b.safetensors"), four_tensors());
  EXPECT_TRUE(
      throws_error([&] { load_safetensors(dir.path()); }, Errc::kInput, {"2 candidates", "a.safetensors"}));
}

TEST(SafetensorsFolder, AnIndexComesBeforeFilesAndModelBeforeOthers) {
  const TempDir dir;
  write_model(dir);
  write_file(dir.file("other.safetensors.index.json"), "{}");
  EXPECT_TRUE(throws_error([&] { load_safetensors(dir.path()); }, Errc::kInput, {"2 candidates"}));
  fs::rename(index_of(dir), dir.file("model.safetensors.index.json"));
  EXPECT_EQ(load_safetensors(dir.path()).size(), 4u);
}

TEST(SafetensorsFolder, AWholeModelComesBeforeTablesBesideIt) {
  const TempDir dir;
  save_safetensors(dir.file("diffusion_pytorch_model.safetensors"), four_tensors());
  save_safetensors(dir.file("conditioning.safetensors"), {});
  EXPECT_EQ(load_safetensors(dir.path()).size(), 4u);
}

class IndexRefusal : public ::testing::Test {
 protected:
  void SetUp() override { write_model(dir_); }
  ::testing::AssertionResult refused(const std::vector<std::string>& parts) const {
    return throws_error([&] { load_safetensors(dir_.path()); }, Errc::kInput, parts);
  }

  TempDir dir_;
  const std::string first_ = kStem + "-00001-of-00002.safetensors",
                    second_ = kStem + "-00002-of-00002.safetensors";
};

TEST_F(IndexRefusal, TensorListedButMissing) {
  write_weight_map(dir_, nlohmann::json{{"a", first_}, {"b", first_}, {"x", first_}}.dump());
  EXPECT_TRUE(refused({"\"x\"", "is not in", first_}));
}

TEST_F(IndexRefusal, ShardMissing) {
  fs::remove(dir_.file(second_));
  EXPECT_TRUE(refused({second_, "No such file"}));
}

TEST_F(IndexRefusal, TensorInTwoShards) {
  save_safetensors(dir_.file(second_), four_tensors());
  EXPECT_TRUE(refused({second_, "\"a\"", "twice", first_}));
}

TEST_F(IndexRefusal, TensorNotListed) {
  write_weight_map(dir_, nlohmann::json{{"a", first_}}.dump());
  EXPECT_TRUE(refused({first_, "\"b\"", "not listed"}));
}

TEST_F(IndexRefusal, NameListedTwice) {
  write_weight_map(dir_, "{\"a\": \"" + first_ + "\", \"a\": \"" + second_ + "\"}");
  EXPECT_TRUE(refused({"\"a\" occurs twice"}));
}

TEST_F(IndexRefusal, ShardOutsideTheFolder) {
  for (const char* path : {"../x.safetensors", "/etc/x.safetensors", "", "x.bin"}) {
    write_weight_map(dir_, nlohmann::json{{"a", path}}.dump());
    EXPECT_TRUE(refused({"\"a\"", "beside the index"})) << path;
  }
}

TEST_F(IndexRefusal, NotAnIndex) {
  write_file(index_of(dir_), "{\"weight_map\": ");
  EXPECT_TRUE(refused({"not valid JSON at byte"}));
  write_file(index_of(dir_), "[]");
  EXPECT_TRUE(refused({"weight_map"}));
  write_file(index_of(dir_), "{\"weight_map\": {\"a\": 1}}");
  EXPECT_TRUE(refused({"\"a\"", "not mapped to a file name"}));
  write_file(index_of(dir_), std::string(100000, '['));
  EXPECT_TRUE(refused({"nested deeper"}));
}

}  // namespace
}  // namespace svdlab
