#include "experiments/quantize/file_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::throws_error;

TEST(FileWatch, SeesGrowthReplacementAndRemoval) {
  const testing::TempDir dir;
  const std::string path = dir.file("weights");
  write_file(path, "12345678");
  const FileWatch grown({path});
  grown.require_unchanged();
  std::ofstream(path, std::ios::app) << "9";
  EXPECT_TRUE(throws_error([&] { grown.require_unchanged(); }, Errc::kInput, {path, "8 -> 9 bytes"}));
  const FileWatch replaced({path});
  write_file(path, "987654321");
  EXPECT_TRUE(throws_error([&] { replaced.require_unchanged(); }, Errc::kInput, {path, "another file"}));
  const FileWatch removed({path});
  std::filesystem::remove(path);
  EXPECT_TRUE(throws_error([&] { removed.require_unchanged(); }, Errc::kInput, {path}));
}

}  // namespace
}  // namespace svdlab
