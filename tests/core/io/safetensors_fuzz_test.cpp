#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/base/rng.h"
#include "core/io/files.h"
#include "tests/fuzz/safetensors_target.h"

namespace svdlab {
namespace {

// In a block of exactly its size, so that a sanitizer sees every read past the end.
bool accepted(const std::string& file) {
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  return fuzz::safetensors_target(bytes.data(), bytes.size());
}

std::vector<std::string> corpus() {
  std::vector<std::string> paths, out;
  for (const auto& item :
       std::filesystem::directory_iterator(SVDLAB_SOURCE_DIR "/tests/fuzz/corpus/safetensors"))
    paths.push_back(item.path().string());
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) out.push_back(read_file(path));
  return out;
}

TEST(SafetensorsFuzz, CorpusIsReplayed) {
  int total = 0, good = 0;
  for (const std::string& file : corpus()) total += 1, good += accepted(file);
  EXPECT_GE(total, 10);
  EXPECT_GE(good, 3);
  EXPECT_LT(good, total);
}

// One mutation: a byte set, a bit flipped, a piece removed, a piece repeated, or a run of digits.
void mutate(std::string& file, const Rng& rng, uint64_t draw) {
  if (file.empty()) return;
  const uint64_t at = rng.below(draw, file.size()), n = 1 + rng.below(draw + 1, 8);
  switch (rng.below(draw + 2, 5)) {
    case 0:
      file[at] = static_cast<char>(rng.below(draw + 3, 256));
      break;
    case 1:
      file[at] = static_cast<char>(file[at] ^ (1 << rng.below(draw + 3, 8)));
      break;
    case 2:
      file.erase(at, n);
      break;
    case 3:
      file.insert(at, file.substr(at, n));
      break;
    case 4:
      file.insert(at, std::string(n, static_cast<char>('0' + rng.below(draw + 3, 10))));
      break;
  }
}

TEST(SafetensorsFuzz, TwentyThousandMutationsOfAValidFile) {
  const std::string valid = read_file(SVDLAB_SOURCE_DIR "/tests/golden/safetensors.safetensors");
  ASSERT_TRUE(accepted(valid));
  const Rng rng(1, "safetensors_fuzz");
  int good = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    std::string file = valid;
    for (uint64_t k = 0; k <= rng.below(64 * i, 3); ++k) mutate(file, rng, 64 * i + 8 * k + 1);
    good += accepted(file);
  }
  // Changes inside the data and inside names are harmless; both verdicts must occur for the test to mean
  // anything.
  EXPECT_GE(good, 200);
  EXPECT_LE(good, 15000);
}

}  // namespace
}  // namespace svdlab
