#include "experiments/analyze/principal.h"

#include <gtest/gtest.h>

#include <Eigen/SVD>

#include "experiments/analyze/branch_weights.h"
#include "experiments/analyze/moments.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::JacobiSVD<Eigen::MatrixXd> eigen_svd(const Tensor& m) {
  const Tensor c = m.contiguous();
  const Eigen::MatrixXd copy = Eigen::Map<const RowMajor>(c.data_ptr<double>(), c.size(0), c.size(1));
  return Eigen::JacobiSVD<Eigen::MatrixXd>(copy, Eigen::ComputeThinU | Eigen::ComputeThinV);
}

Tensor matrix(int64_t rows, int64_t cols) {
  return testing::random_tensor({rows, cols}, concat("m", rows, "x", cols)).to(at::kDouble);
}

/// Wide, tall, square, of rank 3, graded.
std::vector<Tensor> matrices() {
  return {matrix(12, 40), matrix(33, 9), matrix(16, 16), matrix(20, 3).matmul(matrix(3, 24)),
          matrix(10, 30) * at::logspace(0, -5, 30, 10, at::kDouble)};
}

TEST(CapturedEnergy, IsThatOfEigensSingularValues) {
  for (const Tensor& m : matrices()) {
    const std::vector<int64_t> ranks = ranks_of(m, false);
    const std::vector<double> share = captured_energy(m, ranks);
    const Eigen::ArrayXd squares = eigen_svd(m).singularValues().array().square();
    ASSERT_EQ(share.size(), ranks.size());
    for (size_t i = 0; i < ranks.size(); ++i)
      testing::expect_close(share[i], squares.head(ranks[i]).sum() / squares.sum(), 1e-13);
  }
  EXPECT_TRUE(std::isnan(captured_energy(at::zeros({4, 4}, at::kDouble), {1})[0]));
}

TEST(Principal, ResidualIsThatOfTheTruncatedSvd) {
  for (const Tensor& m : matrices()) {
    const auto svd = eigen_svd(m);
    for (const int64_t rank : ranks_of(m, true)) {
      Tensor kept = at::zeros_like(m);
      const Eigen::MatrixXd product = svd.matrixU().leftCols(rank) *
                                      svd.singularValues().head(rank).asDiagonal() *
                                      svd.matrixV().leftCols(rank).transpose();
      for (int64_t r = 0; r < m.size(0); ++r)
        for (int64_t c = 0; c < m.size(1); ++c) kept[r][c] = product(r, c);
      const double difference = (Principal(m).residual(rank) - (m - kept)).norm().item<double>();
      const bool ok = difference <= 1e-12 * m.norm().item<double>();
      EXPECT_TRUE(ok) << m.sizes() << " rank " << rank << ": " << difference;
    }
  }
}

TEST(RanksOf, ArePowersOfTwoUpToTheSmallerSide) {
  EXPECT_EQ(ranks_of(matrix(5, 9), true), (std::vector<int64_t>{0, 1, 2, 4}));
  EXPECT_EQ(ranks_of(at::zeros({300, 256}), false), (std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64, 128}));
}

TEST(Moments, AreThoseOfKnownDistributions) {
  EXPECT_DOUBLE_EQ(kurtosis(at::tensor({-1.0, 1.0, -1.0, 1.0}, at::kDouble)), 1);
  EXPECT_DOUBLE_EQ(kurtosis(at::tensor({5.0, 7.0}, at::kDouble)), 1);
  EXPECT_NEAR(kurtosis(testing::random_tensor({100000}, "normal")), 3, 0.1);
  EXPECT_TRUE(std::isnan(kurtosis(at::ones({3}))));
  EXPECT_DOUBLE_EQ(max_over_median(at::tensor({1.0, 2.0, 12.0}, at::kDouble)), 6);
  testing::expect_identical(column_absmax(at::tensor({1.0, -4.0, -3.0, 2.0}, at::kDouble).view({2, 2})),
                            at::tensor({3.0, 4.0}, at::kDouble));
  EXPECT_DOUBLE_EQ(root_mean_square(at::tensor({1.0, 7.0}, at::kDouble)), 5);
}

}  // namespace
}  // namespace svdlab
