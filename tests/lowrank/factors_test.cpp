#include "lowrank/factors.h"

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;

void expect_small(const Tensor& t, double most) {
  const double largest = t.abs().max().item<double>();
  EXPECT_TRUE(largest <= most) << largest;
}

void expect_orthonormal_factors(const Tensor& m, const Orthonormal& f) {
  const Tensor q = f.q.to(at::kDouble), wide = m.to(at::kDouble);
  expect_small(q.t().matmul(q) - at::eye(q.size(1), at::kDouble), 1e-6);
  expect_small(q.matmul(f.r.to(at::kDouble)) - wide, 1e-6 * wide.abs().max().item<double>());
  expect_small(f.r.tril(-1), 0);
}

TEST(CholeskyOrthonormal, IsAQrUpToAConditionOfAMillion) {
  for (const double decades : {0, 3, 6}) {
    SCOPED_TRACE(decades);
    const Tensor left = std::get<0>(at::linalg_qr(random_tensor({500, 24}, "left").to(at::kDouble)));
    const Tensor right = std::get<0>(at::linalg_qr(random_tensor({24, 24}, "right").to(at::kDouble)));
    const Tensor m = (left * at::logspace(0, -decades, 24)).matmul(right).to(at::kFloat);
    const auto found = cholesky_orthonormal(m);
    ASSERT_TRUE(found);
    expect_orthonormal_factors(m, *found);
  }
}

TEST(CholeskyOrthonormal, DeclinesWhatIsSingular) {
  const Tensor thin = random_tensor({100, 4}, "thin");
  EXPECT_FALSE(cholesky_orthonormal(at::cat({thin, thin}, 1)));
  EXPECT_FALSE(cholesky_orthonormal(at::zeros({100, 4})));
  EXPECT_FALSE(cholesky_orthonormal(at::zeros({100, 0})));
}

TEST(OrthonormalColumns, OfARankDeficientMatrixAreOrthonormal) {
  const Tensor thin = random_tensor({100, 4}, "thin"), m = at::cat({thin, thin}, 1);
  expect_orthonormal_factors(m, orthonormal_columns(m));
}

}  // namespace
}  // namespace svdlab
