#include "core/ir/gram_check.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::throws_error;

constexpr int64_t kSize = 200;

/// Gram matrix of tokens whose channels are of very different size, one of them always 0.
Tensor good_gram(int64_t tokens = 500) {
  Tensor x = random_tensor({tokens, kSize}, "x").to(at::kDouble);
  x.mul_(at::logspace(-4, 4, kSize).to(at::kDouble));
  x.select(1, 7).zero_();
  return x.t().matmul(x);
}

void expect_refused(const Tensor& gram, const std::vector<std::string>& parts) {
  EXPECT_TRUE(throws_error([&] { require_gram(gram, "blocks.3.q"); }, Errc::kInput, parts));
}

TEST(GramCheck, TakesWhatSumsOfSquaresAre) {
  EXPECT_NO_THROW(require_gram(good_gram(), "g"));
  EXPECT_NO_THROW(require_gram(good_gram(20), "g"));  // far from full rank
  EXPECT_NO_THROW(require_gram(good_gram().to(at::kFloat).to(at::kDouble), "g"));
  EXPECT_NO_THROW(require_gram(at::zeros({3, 3}, at::kDouble), "g"));
  EXPECT_NO_THROW(require_gram(at::ones({1, 1}, at::kDouble), "g"));
}

TEST(GramCheck, RefusesWithGroupPlaceAndNumbers) {
  Tensor gram = good_gram();
  gram[20][11] = std::numeric_limits<double>::infinity();
  expect_refused(gram, {"blocks.3.q", "inf at (20, 11)"});
  gram = good_gram();
  gram[4][4] = -3;
  expect_refused(gram, {"blocks.3.q", "channel 4 is -3"});
  gram = good_gram();
  gram[150][149].mul_(-1).sub_(1e3);
  expect_refused(gram, {"blocks.3.q", "not symmetric", "(150, 149)"});
  gram = good_gram();
  gram[7][9] = 1;
  expect_refused(gram, {"blocks.3.q", "(9, 7)", "no energy"});
  gram = good_gram();
  gram[100][90] = gram[90][100] = 2 * gram[100][100] * gram[90][90] + 1;
  expect_refused(gram, {"blocks.3.q", "(100, 90)", "diagonal allows"});
  expect_refused(good_gram().slice(0, 0, 5), {"blocks.3.q", "square"});
}

TEST(GramCheck, RefusesANegativeEigenvalueThatNoPairShows) {
  // Three channels that agree in pairs and cannot agree all together.
  Tensor gram = at::eye(kSize, at::kDouble);
  const auto pair = [&](int64_t a, int64_t b, double v) { gram[a][b] = gram[b][a] = v; };
  pair(3, 50, 0.9);
  pair(50, 120, 0.9);
  pair(3, 120, -0.9);
  expect_refused(gram, {"blocks.3.q", "positive semidefinite", "eigenvalue of -0.8"});
  // The same between channels of very different size.
  const Tensor scale = at::logspace(-3, 3, kSize).to(at::kDouble);
  expect_refused(gram * scale.unsqueeze(0) * scale.unsqueeze(1), {"eigenvalue of -0.8"});
}

}  // namespace
}  // namespace svdlab
