#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/models/model.h"
#include "eval/matrix_nuclear_norm.h"
#include "eval/zero_kernel.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::random_tensor;
using testing::throws_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();

double singular_value_sum(const Tensor& a) {
  return at::linalg_svdvals(a.to(at::kDouble)).sum().item<double>();
}

/// The bounds of the sum of all column norms.
void expect_between_nuclear_norm_and_frobenius(const Tensor& a) {
  const double sum = largest_column_norms(a), slack = 1e-9 * sum;
  EXPECT_TRUE(sum >= singular_value_sum(a) - slack)
      << sum << " is below the nuclear norm " << singular_value_sum(a);
  const double most = std::sqrt(static_cast<double>(a.size(1))) * a.to(at::kDouble).norm().item<double>();
  EXPECT_TRUE(sum <= most + slack) << sum << " is above " << most;
}

TEST(MatrixNuclearNorm, ColumnNormsBoundTheNuclearNorm) {
  const Tensor plain = random_tensor({90, 40}, "plain");
  Tensor outlier = plain.clone();
  outlier.select(1, 7).mul_(1000);
  const Tensor line = random_tensor({64, 1}, "u").matmul(random_tensor({1, 32}, "v"));
  for (const Tensor& a : {plain, outlier, line, plain * at::logspace(2, -4, 40), at::zeros({8, 4})})
    expect_between_nuclear_norm_and_frobenius(a);
}

TEST(MatrixNuclearNorm, ColumnNormsBoundTheNuclearNormOfTheEmbeddedModelsLayers) {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  int seen = 0;
  for (const LinearSpec& linear : model.graph.linears) {
    if (linear.role != Role::kQuery && linear.role != Role::kFfUp) continue;
    SCOPED_TRACE(linear.name);
    expect_between_nuclear_norm_and_frobenius(linear.weight);
    ++seen;
  }
  EXPECT_GT(seen, 4);
}

TEST(MatrixNuclearNorm, IsTheNuclearNormForOrthogonalColumns) {
  const Tensor q = std::get<0>(at::linalg_qr(random_tensor({50, 20}, "q").to(at::kDouble)));
  const Tensor a = q * at::logspace(1, -2, 20).to(at::kDouble);
  expect_close(largest_column_norms(a), singular_value_sum(a), 1e-12);
}

TEST(MatrixNuclearNorm, CountsAsManyColumnsAsThereAreTokens) {
  const Tensor a = at::tensor({3.0, 1.0, 2.0, 4.0, 0.0, 0.0}).reshape({2, 3});  // norms 5, 1, 2
  EXPECT_NEAR(largest_column_norms(a), 7.0, 1e-12);
}

TEST(MatrixNuclearNorm, CentresChannelsAndNormalizesTokens) {
  // Centred: (2, 0), (-2, 0), (0, 0); normalized: (1, 0), (-1, 0), (0, 0).
  const Tensor hidden = at::tensor({3.0, 5.0, -1.0, 5.0, 1.0, 5.0}).reshape({3, 2});
  EXPECT_NEAR(matrix_nuclear_norm(hidden), std::sqrt(2.0), 1e-12);
  const Tensor x = random_tensor({60, 16}, "x");
  expect_close(matrix_nuclear_norm(x * 37 + at::arange(16)), matrix_nuclear_norm(x), 1e-5);
  EXPECT_EQ(matrix_nuclear_norm(at::ones({5, 3})), 0.0);
}

TEST(MatrixNuclearNorm, FallsWhenTokensCollapseOntoFewDirections) {
  const Tensor x = random_tensor({128, 32}, "spread");
  Tensor few = x.clone();
  few.slice(1, 2).mul_(1e-3);
  EXPECT_TRUE(matrix_nuclear_norm(few) < 0.5 * matrix_nuclear_norm(x));
}

TEST(MatrixNuclearNorm, BadInput) {
  Tensor x = random_tensor({8, 4}, "x");
  x[3][2] = kNan;
  EXPECT_TRUE(std::isnan(matrix_nuclear_norm(x)));
  EXPECT_TRUE(throws_error([] { matrix_nuclear_norm(at::zeros({4})); }, Errc::kInput, {"[4]"}));
  EXPECT_TRUE(throws_error([] { matrix_nuclear_norm(at::zeros({0, 4})); }, Errc::kInput, {"[0, 4]"}));
}

TEST(ZeroKernel, CountsWhatIsZero) {
  ZeroKernel kernel;
  EXPECT_TRUE(std::isnan(kernel.share()));
  kernel.add(at::tensor({0.0, -0.0, 1e-30, kNan}));
  EXPECT_EQ(kernel.zeros, 2);
  ZeroKernel more;
  more.add(at::zeros({2, 3}));
  kernel.merge(more);
  EXPECT_EQ(kernel.elements, 10);
  EXPECT_DOUBLE_EQ(kernel.share(), 0.8);
}

}  // namespace
}  // namespace svdlab
