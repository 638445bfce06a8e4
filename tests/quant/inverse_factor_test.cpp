#include "quant/inverse_factor.h"

#include "quant/input_gram.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;

Tensor gram_of(int64_t size, int64_t tokens) {
  const Tensor x =
      random_tensor({tokens, size}, "x").to(at::kDouble) * at::logspace(-1, 1, size).to(at::kDouble);
  return x.t().matmul(x);
}

Tensor smooth_of(int64_t size) { return random_tensor({size}, "smooth").abs().add(0.5); }

TEST(InputGram, PiecesAreThoseOfTheWhole) {
  const WeightContext context{.gram = gram_of(40, 100), .smooth = smooth_of(40)};
  const Tensor inverse = context.smooth.to(at::kDouble).reciprocal();
  const Tensor whole = context.gram * inverse.unsqueeze(0) * inverse.unsqueeze(1);
  testing::expect_identical(input_gram_diagonal(context), whole.diagonal().contiguous());
  const Tensor blocks = input_gram_blocks(context, 8);
  for (int64_t b = 0; b < 5; ++b)
    testing::expect_identical(blocks[b],
                              whole.slice(0, 8 * b, 8 * b + 8).slice(1, 8 * b, 8 * b + 8).contiguous());
  const Tensor order = at::arange(39, -1, -1);
  testing::expect_identical(input_gram_part(context, order.slice(0, 3, 9), order),
                            whole.flip({0, 1}).slice(0, 3, 9).contiguous());
}

/// U^T U (H + damping) = I, with H put together here in the plain way.
void expect_inverse(int64_t size, bool smoothed) {
  SCOPED_TRACE(size);
  WeightContext context{.gram = gram_of(size, 2 * size)};
  if (smoothed) context.smooth = smooth_of(size);
  context.gram.select(0, 1).zero_();
  context.gram.select(1, 1).zero_();
  const Tensor order = at::argsort(random_tensor({size}, "order"));
  const Tensor u = inverse_factor(context, order, 0.01);
  testing::expect_identical(u, u.triu());
  Tensor h = context.gram.clone();
  if (smoothed) h.div_(context.smooth.unsqueeze(0)).div_(context.smooth.unsqueeze(1));
  h[1][1] = 1;
  h = h.index_select(0, order).index_select(1, order);
  h.diagonal().add_(0.01 * h.diagonal().mean().item<double>());
  const Tensor product = u.matmul(h).matmul(u.t());
  testing::expect_close(product, at::eye(size, at::kDouble), 1e-10);
}

TEST(InverseFactor, InvertsInOneBlockAndInSeveral) {
  for (const int64_t size : {2, 3, 130}) expect_inverse(size, size % 2 == 0);
  expect_inverse(2047, false);
  expect_inverse(2500, true);
}

TEST(InverseFactor, AddsDampingUntilItHelps) {
  const WeightContext context{.gram = at::ones({50, 50}, at::kDouble)};
  const Tensor u = inverse_factor(context, at::arange(50), 0);
  EXPECT_TRUE(u.isfinite().all().item<bool>());
}

TEST(InverseFactor, RefusesWhatNoDampingHelps) {
  const WeightContext negative{.gram = at::ones({4, 4}, at::kDouble).mul_(-1).fill_diagonal_(1)};
  EXPECT_NO_THROW(inverse_factor(negative, at::arange(4), 0.01));  // enough damping makes it definite
  Tensor gram = gram_of(4, 9);
  gram[2][3] = std::nan("");
  EXPECT_TRUE(testing::throws_error([&] { inverse_factor({.gram = gram}, at::arange(4), 0.01); },
                                    Errc::kInput, {"NaN or infinity"}));
}

}  // namespace
}  // namespace svdlab
