#include "core/io/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/support.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;
using testing::throws_error;

TEST(Files, WriteThenReadGivesTheSameBytes) {
  const TempDir dir;
  for (const size_t size : {0, 1, 1 << 20, (3 << 20) + 7}) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 % 251);
    write_file(dir.file("x"), bytes);
    EXPECT_TRUE(read_file(dir.file("x")) == bytes) << size;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1)
      << "no temporary is left";
}

TEST(Files, UnreadableIsAnInputErrorWithTheReason) {
  const TempDir dir;
  EXPECT_TRUE(throws_error([&] { read_file(dir.file("none")); }, Errc::kInput, {"none", "No such file"}));
  EXPECT_TRUE(throws_error([&] { read_file(dir.path()); }, Errc::kInput, {dir.path(), "Is a directory"}));
  EXPECT_TRUE(throws_error([&] { sha256_file(dir.file("none")); }, Errc::kInput, {"none"}));
}

TEST(Files, UnwritableIsAResourceErrorThatNamesThePath) {
  const TempDir dir;
  EXPECT_TRUE(throws_error([&] { write_file(dir.file("no/such/x"), "b"); }, Errc::kResource,
                           {"no/such/x", "No such file"}));
  fs::create_directory(dir.file("taken"));
  EXPECT_TRUE(
      throws_error([&] { write_file(dir.file("taken"), "b"); }, Errc::kResource, {"taken", "directory"}));
  EXPECT_TRUE(fs::is_directory(dir.file("taken")));
  write_file(dir.file("plain"), "");
  EXPECT_TRUE(throws_error([&] { make_directories(dir.file("plain/sub")); }, Errc::kResource, {"plain/sub"}));
}

TEST(Files, AFullDiskKeepsTheOldFile) {
  const TempDir dir;
  write_file(dir.file("x"), "old");
  fs::create_symlink("/dev/full", dir.file(concat("x.tmp.", ::getpid())));
  EXPECT_TRUE(
      throws_error([&] { write_file(dir.file("x"), "new"); }, Errc::kResource, {"/x:", "No space left"}));
  EXPECT_EQ(read_file(dir.file("x")), "old");
}

TEST(Files, MakeDirectoriesMakesParentsAndAcceptsExisting) {
  const TempDir dir;
  make_directories(dir.file("a/b/c"));
  make_directories(dir.file("a/b/c"));
  EXPECT_TRUE(fs::is_directory(dir.file("a/b/c")));
}

// FIPS 180-4 examples.
TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const TempDir dir;
  write_file(dir.file("million"), std::string(1000000, 'a'));
  EXPECT_EQ(sha256_file(dir.file("million")),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  write_file(dir.file("pieces"), std::string((2 << 20) + 5, 'a'));
  EXPECT_EQ(sha256_file(dir.file("pieces")), sha256(std::string((2 << 20) + 5, 'a')));
}

}  // namespace
}  // namespace svdlab
