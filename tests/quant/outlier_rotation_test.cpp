#include "quant/outlier_rotation.h"

#include "quant/random_orthogonal.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

double orthogonality_error(const Tensor& q) {
  return (q.matmul(q.t()) - at::eye(q.size(0), at::kDouble)).abs().max().item<double>();
}

TEST(RandomOrthogonal, IsOrthogonalSeededAndDrawsDiffer) {
  const Rng rng(3, "test");
  for (const int64_t n : {1, 2, 3, 17, 64}) {
    const Tensor q = random_orthogonal(n, rng);
    EXPECT_TRUE(orthogonality_error(q) <= 1e-12) << n;
    testing::expect_identical(random_orthogonal(n, rng), q);
  }
  EXPECT_FALSE(at::allclose(random_orthogonal(17, rng), random_orthogonal(17, rng, 1)));
  EXPECT_FALSE(at::allclose(random_orthogonal(17, rng), random_orthogonal(17, Rng(4, "test"))));
}

// Haar: entries of both signs with mean 0 and mean square 1 / n, the determinant's sign a fair coin. Without
// the sign of R's diagonal the library's own convention would show in the trace.
TEST(RandomOrthogonal, IsUniform) {
  const Rng rng(0, "haar");
  const int64_t n = 4, draws = 2000;
  Tensor sum = at::zeros({n, n}, at::kDouble), squares = sum.clone();
  int64_t negative = 0;
  for (int64_t i = 0; i < draws; ++i) {
    const Tensor q = random_orthogonal(n, rng, i);
    sum.add_(q);
    squares.add_(q.square());
    negative += at::linalg_det(q).item<double>() < 0;
  }
  EXPECT_LT((sum / draws).abs().max().item<double>(), 0.05);  // 4.5 standard deviations
  EXPECT_LT((squares / draws - 1.0 / n).abs().max().item<double>(), 0.03);
  EXPECT_NEAR(static_cast<double>(negative) / draws, 0.5, 0.05);
}

TEST(GreedyRotation, OneStepSpreadsTheLargestChannelEvenly) {
  Tensor x = at::zeros({3, 16}, at::kDouble);
  x.select(1, 11).copy_(at::tensor({1.0, -8.0, 4.0}, at::kDouble));
  const Tensor r = greedy_rotation(x, 1, Rng(0, "test"), 0);
  EXPECT_TRUE(orthogonality_error(r) <= 1e-12);
  const Tensor even = (x.select(1, 11) / 4).unsqueeze(1).expand({3, 16});
  EXPECT_LE((x.matmul(r).abs() - even.abs()).abs().max().item<double>(), 1e-12);
}

TEST(GreedyRotation, MoreStepsAreNeverWorseAndNoneIsKeptWhereNothingHelps) {
  const Tensor x = testing::random_tensor({64, 32}, "greedy").to(at::kDouble) * at::logspace(-1, 1.5, 32);
  double last = x.abs().max().item<double>();
  for (const int64_t steps : {1, 2, 4, 8, 16}) {
    const Tensor r = greedy_rotation(x, steps, Rng(0, "test"), 0);
    EXPECT_TRUE(orthogonality_error(r) <= 1e-12) << steps;
    const double largest = x.matmul(r).abs().max().item<double>();
    EXPECT_LE(largest, last) << steps;
  }
  EXPECT_LT(x.matmul(greedy_rotation(x, 16, Rng(0, "test"), 0)).abs().max().item<double>(), last / 2);
  const Tensor flat = at::ones({1, 8}, at::kDouble);  // no rotation makes the largest smaller
  testing::expect_identical(greedy_rotation(flat, 4, Rng(0, "test"), 0), at::eye(8, at::kDouble));
  const Tensor zero = at::zeros({4, 8}, at::kDouble);
  testing::expect_identical(greedy_rotation(zero, 4, Rng(0, "test"), 0), at::eye(8, at::kDouble));
}

TEST(ZigzagOrder, DealsForwardAndBack) {
  const Tensor size = at::tensor({1.0, 6.0, 3.0, 5.0, 2.0, 4.0}, at::kDouble);
  // From the largest: channels 1, 3, 5, 2, 4, 0; dealt to three blocks of two: 1 3 5, then 0 4 2 backwards.
  testing::expect_identical(zigzag_order(size, 2), at::tensor({1, 0, 3, 4, 5, 2}, at::kLong));
}

TEST(ZigzagOrder, IsAPermutationAndBalances) {
  const Tensor size = at::logspace(0, 3, 96).to(at::kDouble);
  const Tensor order = zigzag_order(size, 16);
  testing::expect_identical(std::get<0>(order.sort()), at::arange(96));
  const Tensor sums = size.index_select(0, order).view({6, 16}).sum(1), before = size.view({6, 16}).sum(1);
  const auto spread = [](const Tensor& t) { return (t.max() / t.min()).item<double>(); };
  EXPECT_LT(spread(sums), 1.2);
  EXPECT_GT(spread(before), 100);
}

}  // namespace
}  // namespace svdlab
