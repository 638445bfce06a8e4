// What each format costs on weight-like data: signal to quantization noise in dB, against values computed
// with numpy for the same rules (1024 x 1024, ecosystem fact file 7.1).
#include <gtest/gtest.h>

#include <functional>

#include "tests/kernels/coded_problem.h"

namespace svdlab {
namespace {

using testing::Coded;
using testing::Matrix;
using testing::quantized;

constexpr int64_t kSize = 1024;

struct Distribution {
  const char* name;
  std::function<double(const Rng&, uint64_t)> draw;
  double tolerance_db;
};

double laplace(const Rng& rng, uint64_t i) {
  const double u = (rng.bits(i) + 0.5) * 0x1p-32 - 0.5;
  return u < 0 ? std::log1p(2 * u) : -std::log1p(-2 * u);
}

double student_t5(const Rng& rng, uint64_t i) {
  double chi2 = 0;
  for (int d = 0; d < 5; ++d) {
    const double z = rng.normal(6 * i + 1 + d);
    chi2 += z * z;
  }
  return rng.normal(6 * i) / std::sqrt(chi2 / 5);
}

const Distribution kNormal{"normal", [](const Rng& rng, uint64_t i) { return rng.normal(i); }, 0.15};
const Distribution kLaplace{"laplace", laplace, 0.4};
const Distribution kStudent{"student_t5", student_t5, 0.4};

double sqnr_db(Matrix& x, const QuantizeSpec& spec) {
  Matrix y = quantized(x, spec).decoded();
  double signal = 0, noise = 0;
  for (size_t i = 0; i < x.data.size(); ++i) {
    const double error = static_cast<double>(x.data[i]) - y.data[i];
    signal += static_cast<double>(x.data[i]) * x.data[i];
    noise += error * error;
  }
  return 10 * std::log10(signal / noise);
}

void check(const Distribution& d, double int8_row, double int4_row, double int4_g64, double nf4_g64,
           double nvfp4, double mxfp4) {
  const Rng rng(0, d.name);
  Matrix x(kSize, kSize);
  for (size_t i = 0; i < x.data.size(); ++i) x.data[i] = static_cast<float>(d.draw(rng, i));
  using N = NumberFormat;
  using S = ScaleFormat;
  EXPECT_NEAR(sqnr_db(x, {N::kInt8, S::kFp32, kSize}), int8_row, d.tolerance_db) << d.name;
  EXPECT_NEAR(sqnr_db(x, {N::kInt4, S::kBf16, kSize}), int4_row, d.tolerance_db) << d.name;
  EXPECT_NEAR(sqnr_db(x, {N::kInt4, S::kBf16, 64}), int4_g64, d.tolerance_db) << d.name;
  EXPECT_NEAR(sqnr_db(x, {N::kNf4, S::kBf16, 64}), nf4_g64, d.tolerance_db) << d.name;
  EXPECT_NEAR(sqnr_db(x, {N::kFp4E2M1, S::kE4M3, 16, true}), nvfp4, d.tolerance_db) << d.name;
  EXPECT_NEAR(sqnr_db(x, {N::kFp4E2M1, S::kE8M0, 32}), mxfp4, d.tolerance_db) << d.name;
}

TEST(WeightSqnr, Normal) { check(kNormal, 42.1, 16.9, 19.4, 20.7, 20.4, 18.8); }
TEST(WeightSqnr, Laplace) { check(kLaplace, 38.2, 13.2, 17.0, 19.7, 20.7, 17.9); }
TEST(WeightSqnr, StudentT) { check(kStudent, 36.5, 11.4, 16.7, 19.6, 20.7, 18.0); }

}  // namespace
}  // namespace svdlab
