#include "core/io/compressed_file.h"

#include <gtest/gtest.h>

#include <filesystem>

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

}  // namespace
}  // namespace svdlab
