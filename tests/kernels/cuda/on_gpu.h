#pragma once
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/base/error.h"
#include "tests/kernels/linear_problem.h"

namespace svdlab::testing {

/// Skips by name where no GPU can be used.
class OnGpu : public ::testing::Test {
  void SetUp() override {
    const std::string problem = cuda_device_problem();
    if (!problem.empty()) GTEST_SKIP() << "no CUDA device: " << problem;
  }
};

// Rows that end in, at and behind the tiles of a kernel; rows of FLUX.
inline constexpr int64_t kSmallRows[] = {1, 7, 16, 44, 129, 256};
inline constexpr int64_t kRanks[] = {0, 16, 32, 48, 64, 128};

/// SQNR of `actual` against fp64 on the same operands: at least `least` dB. Rounding to the output type alone
/// gives 55.6 dB (bf16) or 73.6 dB (fp16) on average, but less where a few large outputs decide and lie far
/// from the 16-bit grid: within 1 dB of what perfect rounding gives serves, too.
inline void expect_sqnr(HalfType type, const std::vector<float>& actual, const std::vector<double>& exact,
                        double least, const std::string& what) {
  std::vector<float> rounded;
  for (const double y : exact) rounded.push_back(half_round(type, static_cast<float>(y)));
  const double db = sqnr_db(actual, exact), perfect = sqnr_db(rounded, exact);
  EXPECT_TRUE(db >= std::min(least, perfect - 1))
      << what << ": " << db << " dB, perfect rounding " << perfect;
}

/// What an implementation owes with that output.
inline double least_db(HalfType out) { return out == HalfType::kBf16 ? 54.0 : 60.0; }

/// About `count` of 0 .. size - 1: both ends, and places spread over every position within a tile of 256.
inline std::vector<int64_t> sample(int64_t size, int64_t count) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count && i < size; ++i)
    out.push_back(count < size ? i * (size - 1) / (count - 1) : i);
  return out;
}

inline std::vector<int64_t> all(int64_t size) { return sample(size, size + 1); }

/// Elements of `m` [rows, cols] at `rows` x `columns`.
template <class T>
std::vector<T> part_of(const std::vector<T>& m, int64_t cols, const std::vector<int64_t>& rows,
                       const std::vector<int64_t>& columns) {
  std::vector<T> out;
  for (const int64_t r : rows)
    for (const int64_t c : columns) out.push_back(m[r * cols + c]);
  return out;
}

/// Codes in order of what they stand for.
inline int place_of(NumberFormat format, bool is_unsigned, uint8_t code) {
  if (format == NumberFormat::kInt8) return static_cast<int8_t>(code);
  if (format == NumberFormat::kFp4E2M1) return code & 8 ? -(code & 7) : code & 7;
  return is_unsigned ? code & 0xf : ((code & 0xf) ^ 8) - 8;
}

/// What part of codes and scales may differ, by one place or one step of their format.
struct AllowedFlips {
  double codes = 0.001, scales = 0.005;
};

inline void expect_nearly_equal_codes(const UnpackedMatrix& actual, const UnpackedMatrix& expected,
                                      const AllowedFlips& allowed = {}) {
  ASSERT_EQ(actual.codes.size(), expected.codes.size());
  ASSERT_EQ(actual.scales.size(), expected.scales.size());
  int64_t different = 0, scales = 0;
  for (size_t i = 0; i < expected.codes.size(); ++i) {
    const bool is_unsigned = expected.unsigned_from >= 0;
    const int distance = std::abs(place_of(expected.format, is_unsigned, actual.codes[i]) -
                                  place_of(expected.format, is_unsigned, expected.codes[i]));
    ASSERT_LE(distance, 1) << "code " << i;
    different += distance;
  }
  for (size_t i = 0; i < expected.scales.size(); ++i) {
    const float a = actual.scales[i], e = expected.scales[i];
    const bool ok = std::fabs(a - e) <= e / 8;  // e4m3's step at most
    ASSERT_TRUE(ok) << "scale " << i << " = " << a << ", not " << e;
    scales += a != e;
  }
  EXPECT_LE(static_cast<double>(different), allowed.codes * static_cast<double>(expected.codes.size()));
  EXPECT_LE(static_cast<double>(scales), allowed.scales * static_cast<double>(expected.scales.size()));
  ::testing::Test::RecordProperty("codes_off_by_one", std::to_string(different));
}

inline void expect_equal_codes(const PackedBuffer& actual, const PackedBuffer& expected) {
  const UnpackedMatrix a = unpack_matrix(actual.view()), e = unpack_matrix(expected.view());
  EXPECT_EQ(a.codes, e.codes);
  EXPECT_EQ(a.scales, e.scales);
  EXPECT_EQ(actual.row_powers, expected.row_powers);
}

/// A low-rank activation against fp64, [m, rank].
inline void expect_close_low_rank(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  if (expected.empty()) return;
  const double db = sqnr_db(actual, std::vector<double>(expected.begin(), expected.end()));
  EXPECT_TRUE(db >= 54.0) << "low_rank: " << db << " dB";
}

}  // namespace svdlab::testing
