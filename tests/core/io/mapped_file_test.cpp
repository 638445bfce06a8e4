#include "core/io/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::TempDir;
using testing::throws_error;

constexpr size_t kPage = 4096, kPages = 64;

std::string pattern() {
  std::string bytes(kPages * kPage, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / kPage);
  return bytes;
}

TEST(MappedFile, DroppedPagesComeBackFromTheFile) {
  const TempDir dir;
  const std::string bytes = pattern();
  write_file(dir.file("x"), bytes);
  const MappedFile mapped = map_file(dir.file("x"));
  ASSERT_EQ(mapped.size, bytes.size());
  const char* data = static_cast<const char*>(mapped.memory.get());
  EXPECT_EQ(std::memcmp(data, bytes.data(), bytes.size()), 0);
  drop_mapped_pages(data + 100, bytes.size() - 100);
  EXPECT_EQ(std::memcmp(data, bytes.data(), bytes.size()), 0);
  drop_mapped_pages(data + kPage, uint64_t{1} << 40);  // past the end of the mapping
  EXPECT_EQ(std::memcmp(data, bytes.data(), bytes.size()), 0);
}

TEST(MappedFile, OtherMemoryIsLeftAlone) {
  const TempDir dir;
  write_file(dir.file("x"), pattern());
  const void* gone = nullptr;
  {
    const MappedFile mapped = map_file(dir.file("x"));
    gone = mapped.memory.get();
    std::vector<char> own(kPages * kPage, 'a');
    drop_mapped_pages(own.data(), own.size());
    EXPECT_EQ(std::count(own.begin(), own.end(), 'a'), static_cast<std::ptrdiff_t>(own.size()));
  }
  // Anonymous memory in the place of a mapping that is gone: dropping it would fill it with zeros.
  void* again = ::mmap(const_cast<void*>(gone), kPage, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (again != gone) GTEST_SKIP() << "the address is taken";
  static_cast<char*>(again)[0] = 'b';
  drop_mapped_pages(again, kPage);
  EXPECT_EQ(static_cast<char*>(again)[0], 'b');
  ::munmap(again, kPage);
}

TEST(MappedFile, RefusesWhatIsNoRegularFile) {
  const TempDir dir;
  EXPECT_TRUE(throws_error([&] { map_file(dir.path()); }, Errc::kInput, {"not a regular file"}));
  EXPECT_TRUE(throws_error([&] { map_file(dir.file("none")); }, Errc::kInput, {"none", "cannot be opened"}));
}

}  // namespace
}  // namespace svdlab
