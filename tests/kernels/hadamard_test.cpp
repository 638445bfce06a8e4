#include "kernels/hadamard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "kernels/hadamard_base.h"

namespace svdlab {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class T>
using Matrix = std::vector<T>;  // square, row-major

template <class T>
Matrix<T> identity(int64_t n) {
  Matrix<T> m(n * n, T(0));
  for (int64_t i = 0; i < n; ++i) m[i * n + i] = T(1);
  return m;
}

// The matrix the transform multiplies rows by: its image of the identity.
template <class T>
Matrix<T> dense(int64_t n, HadamardSide side = HadamardSide::kForward) {
  Matrix<T> m = identity<T>(n);
  hadamard_rows(MatrixView<T>(m.data(), n, n), n, side);
  return m;
}

// The Kronecker product, factor by factor, of what the plan says.
Matrix<double> kronecker(const HadamardPlan& plan) {
  Matrix<double> m = {1};
  int64_t n = 1;
  const auto times = [&](const std::vector<double>& b, int64_t order) {
    Matrix<double> next(n * order * n * order);
    for (int64_t i = 0; i < n * order; ++i)
      for (int64_t j = 0; j < n * order; ++j)
        next[i * n * order + j] = m[(i / order) * n + j / order] * b[(i % order) * order + j % order];
    m = std::move(next);
    n *= order;
  };
  for (const int base : plan.bases) times(hadamard_base(base), base);
  for (int i = 0; i < plan.twos; ++i) times({1, 1, 1, -1}, 2);
  return m;
}

// Largest |M M^T - I| over `rows` rows spread over the matrix.
template <class T>
double orthogonality_error(const Matrix<T>& m, int64_t n, int64_t rows) {
  double worst = 0;
  for (int64_t a = 0; a < n; a += std::max<int64_t>(1, n / rows))
    for (int64_t b = 0; b < n; ++b) {
      double sum = a == b ? -1 : 0;
      for (int64_t k = 0; k < n; ++k) sum += static_cast<double>(m[a * n + k]) * m[b * n + k];
      worst = std::max(worst, std::abs(sum));
    }
  return worst;
}

std::vector<int64_t> smooth_numbers(int64_t below) {
  std::vector<int64_t> out;
  for (int64_t n = 1; n < below; ++n) {
    int64_t rest = n;
    for (const int p : {2, 3, 5, 7})
      while (rest % p == 0) rest /= p;
    if (rest == 1) out.push_back(n);
  }
  return out;
}

TEST(HadamardBase, IsOrthogonalAndTheTrueOnesAreSigns) {
  for (const int order : {3, 5, 7, 12, 20, 28}) {
    const std::vector<double>& b = hadamard_base(order);
    ASSERT_EQ(b.size(), static_cast<size_t>(order * order));
    double largest = 0;
    for (const double entry : b) largest = std::max(largest, std::abs(entry));
    for (int i = 0; i < order; ++i)
      for (int j = 0; j < order; ++j) {
        double sum = 0;
        for (int k = 0; k < order; ++k) sum += b[i * order + k] * b[j * order + k];
        const double expected = i == j ? order : 0, difference = std::abs(sum - expected);
        const bool ok = difference <= (order % 4 == 0 ? 0 : 1e-13 * order);
        EXPECT_TRUE(ok) << order << ": rows " << i << ", " << j << " differ by " << difference;
      }
    if (order % 4 == 0)
      EXPECT_TRUE(std::all_of(b.begin(), b.end(), [](double e) { return e == 1 || e == -1; })) << order;
    else
      EXPECT_LT(largest, 1.2200) << order;
  }
}

TEST(HadamardPlan, TakesTrueBasesWhileThereAreTwos) {
  EXPECT_THAT(hadamard_plan(1152).bases, ElementsAre(12, 12));
  EXPECT_EQ(hadamard_plan(1152).twos, 3);
  for (const int64_t n : {1, 2, 4, 12, 20, 28, 64, 128, 256, 768, 1024, 1152, 1536, 2240, 3072, 4608, 12288})
    EXPECT_TRUE(hadamard_plan(n).is_hadamard()) << n;
  for (const int64_t n : {3, 5, 6, 7, 14, 18, 36, 9 * 12}) EXPECT_FALSE(hadamard_plan(n).is_hadamard()) << n;
  EXPECT_THAT(hadamard_plan(36).bases, ElementsAre(12, 3));
  EXPECT_THAT(hadamard_plan(6).bases, ElementsAre(3));
}

TEST(HadamardPlan, RefusesOtherLengthsAndNamesABlock) {
  EXPECT_THAT([] { hadamard_plan(1100); },
              ::testing::ThrowsMessage<Error>(HasSubstr("11 is left; use blocks of 100")));
  EXPECT_THAT([] { hadamard_plan(0); }, ::testing::ThrowsMessage<Error>(HasSubstr("at least 1")));
  EXPECT_THAT([] { hadamard_base(9); }, ::testing::ThrowsMessage<Error>(HasSubstr("order 9")));
  std::vector<float> x(130);
  EXPECT_THAT([&] { hadamard_rows(MatrixView<float>(x.data(), 1, 130), 64, HadamardSide::kForward); },
              ::testing::ThrowsMessage<Error>(HasSubstr("block 64 does not divide 130")));
}

TEST(Hadamard, EveryLengthIsTheDenseMatrix) {
  for (const int64_t n : smooth_numbers(130)) {
    SCOPED_TRACE(n);
    const Matrix<double> fast = dense<double>(n), expected = kronecker(hadamard_plan(n));
    for (int64_t i = 0; i < n * n; ++i) {
      const double difference = std::abs(fast[i] * std::sqrt(static_cast<double>(n)) - expected[i]);
      const bool ok = difference <= 1e-12;
      ASSERT_TRUE(ok) << "entry " << i / n << ", " << i % n << " differs by " << difference;
    }
  }
}

TEST(Hadamard, EveryLengthIsOrthogonal) {
  for (const int64_t n : smooth_numbers(130)) {
    const double wide = orthogonality_error(dense<double>(n), n, n),
                 narrow = orthogonality_error(dense<float>(n), n, n);
    EXPECT_TRUE(wide <= 1e-12) << n << ": " << wide;
    EXPECT_TRUE(narrow <= 1e-6) << n << ": " << narrow;
  }
}

TEST(Hadamard, LengthsOfModelsAreOrthogonalAndTrue) {
  for (const int64_t n : {256, 768, 1152, 1536}) {
    const Matrix<double> m = dense<double>(n);
    EXPECT_TRUE(orthogonality_error(m, n, 8) <= 1e-12) << n;
    EXPECT_TRUE(orthogonality_error(dense<float>(n), n, 8) <= 1e-6) << n;
    const double flat = 1 / std::sqrt(static_cast<double>(n));
    for (const double entry : m) ASSERT_NEAR(std::abs(entry), flat, 1e-15) << n;
  }
}

// 3072, 4608 and 12288 as dense matrices would take seconds: rows of integers through the transform and back,
// and a unit vector, whose image must be flat.
TEST(Hadamard, LargeLengthsInvertAndSpread) {
  for (const int64_t n : {3072, 4608, 12288}) {
    std::vector<double> x(n), unit(n);
    const Rng rng(0, "hadamard");
    for (int64_t i = 0; i < n; ++i) x[i] = rng.normal(i);
    const std::vector<double> before = x;
    unit[n / 3] = 1;
    hadamard_rows(MatrixView<double>(x.data(), 1, n), n, HadamardSide::kForward);
    hadamard_rows(MatrixView<double>(unit.data(), 1, n), n, HadamardSide::kForward);
    double norm = 0, norm_before = 0;
    for (int64_t i = 0; i < n; ++i) {
      norm += x[i] * x[i];
      norm_before += before[i] * before[i];
      ASSERT_NEAR(std::abs(unit[i]) * std::sqrt(static_cast<double>(n)), 1, 1e-12) << n;
    }
    EXPECT_NEAR(norm / norm_before, 1, 1e-12);
    hadamard_rows(MatrixView<double>(x.data(), 1, n), n, HadamardSide::kTransposed);
    for (int64_t i = 0; i < n; ++i) ASSERT_NEAR(x[i], before[i], 1e-12) << n;
  }
}

TEST(Hadamard, TransposedUndoesItAtEveryLength) {
  for (const int64_t n : smooth_numbers(130)) {
    const Matrix<double> forward = dense<double>(n), back = dense<double>(n, HadamardSide::kTransposed);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        const bool ok = std::abs(forward[i * n + j] - back[j * n + i]) <= 1e-14;
        ASSERT_TRUE(ok) << n;
      }
  }
}

TEST(Hadamard, BlocksAndStridesAreLeftAlone) {
  const int64_t rows = 3, cols = 48, stride = 53, block = 12;
  std::vector<float> x(rows * stride);
  const Rng rng(1, "hadamard");
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(rng.normal(i));
  const std::vector<float> before = x;
  hadamard_rows(MatrixView<float>(x.data(), rows, cols, stride), block, HadamardSide::kForward);
  const Matrix<float> h = dense<float>(block);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < stride; ++c) {
      const int64_t start = c / block * block;
      double expected = before[r * stride + c];
      if (c < cols) {
        expected = 0;
        for (int64_t k = 0; k < block; ++k)
          expected += static_cast<double>(before[r * stride + start + k]) * h[k * block + c - start];
      }
      ASSERT_NEAR(x[r * stride + c], expected, 1e-5) << r << ", " << c;
    }
}

// Sums of integers are exact in fp32 and the division by a power of two changes nothing.
TEST(Hadamard, IntegersOfAPowerOfFourAreExact) {
  const int64_t n = 256;
  std::vector<float> x(n);
  const Rng rng(2, "hadamard");
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(rng.below(i, 255)) - 127;
  const std::vector<float> before = x;
  hadamard_rows(MatrixView<float>(x.data(), 1, n), n, HadamardSide::kForward);
  const Matrix<double> h = kronecker(hadamard_plan(n));
  for (int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += before[i] * h[i * n + j];
    ASSERT_EQ(x[j], static_cast<float>(sum / 16)) << j;
  }
}

}  // namespace
}  // namespace svdlab
