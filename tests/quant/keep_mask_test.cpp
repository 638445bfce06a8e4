#include "quant/keep_mask.h"

#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/ir/fisher.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::random_tensor;

Tensor keep_largest_by_sorting(const Tensor& importance, int64_t count) {
  Tensor mask = at::zeros({importance.numel()}, at::kBool);
  mask.index_fill_(
      0, importance.flatten().argsort(/*stable=*/true, 0, /*descending=*/true).slice(0, 0, count), true);
  return mask.view(importance.sizes());
}

TEST(KeepMask, IsTheLargestByAStableSort) {
  const Tensor values = random_tensor({37, 53}, "keep").abs();
  for (const double share : {0.0, 0.01, 0.3, 0.999, 1.0}) {
    const int64_t count = std::llround(share * 37 * 53);
    expect_identical(keep_mask(values, share), keep_largest_by_sorting(values, count));
    EXPECT_EQ(keep_mask(values, share).sum().item<int64_t>(), count);
  }
}

TEST(KeepMask, TiesGoToTheFirst) {
  Tensor values = at::ones({4, 8});
  values[3][7] = 2;
  const Tensor mask = keep_mask(values, 3.0 / 32);
  expect_identical(mask.flatten().nonzero().flatten(), at::tensor(std::vector<int64_t>{0, 1, 31}));
  expect_identical(keep_mask(at::zeros({2, 2}), 0.5).flatten().nonzero().flatten(),
                   at::tensor(std::vector<int64_t>{0, 1}));
}

TEST(KeepMask, SquaresOrderLikeMagnitudesEvenWhereFp32CannotHoldThem) {
  Tensor g = random_tensor({16, 24}, "keep-g") * at::logspace(-30, 30, 24);
  WeightFisher f;
  f.add(g, /*keep_full=*/true);
  expect_identical(keep_mask(f.full, 0.1), keep_mask(g.abs(), 0.1));
}

TEST(KeepMask, MonotoneInTheShare) {
  const Tensor values = random_tensor({20, 30}, "keep").square();
  Tensor before = keep_mask(values, 0);
  for (const double share : {0.001, 0.01, 0.2, 0.5, 1.0}) {
    const Tensor now = keep_mask(values, share);
    EXPECT_TRUE((before.logical_not() | now).all().item<bool>()) << share;
    before = now;
  }
}

TEST(KeepMask, BadSharesAndImportanceAreRefused) {
  const Tensor one = at::ones({2, 3});
  for (const double share : {-0.01, 1.01, std::nan("")})
    EXPECT_TRUE(testing::throws_error([&] { keep_mask(one, share); }, Errc::kConfig, {"0 to 1"})) << share;
  for (const double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    Tensor values = one.clone();
    values[1][2] = bad;
    EXPECT_TRUE(testing::throws_error([&] { keep_mask(values, 0.5); }, Errc::kInput, {"[2, 3]"})) << bad;
  }
}

// Round to nearest in 3 bits, groups of 16, what is kept left out of the groups.
Tensor rounded(const Tensor& w, const Tensor& keep) {
  const Tensor groups = w.masked_fill(keep, 0).reshape({-1, 16});
  const Tensor scale = groups.abs().amax(1, true).clamp_min(1e-30) / 3;
  const Tensor q = ((groups / scale).round().clamp(-3, 3) * scale).view(w.sizes());
  return at::where(keep, w, q);
}

// GWQ's claim, as far as it can be asserted: at 1 % kept, gradients choose better than magnitudes, and those
// better than chance.
TEST(KeepMask, GradientsChooseBetterThanMagnitudesAndThoseBetterThanChance) {
  Tensor scale = at::ones({256});
  for (int64_t i = 0; i < 6; ++i) scale[37 * i + 5] = 15 + 5 * i;
  const Tensor w = random_tensor({384, 256}, "gwq-w") * random_tensor({384, 256}, "gwq-tail").abs(),
               x = random_tensor({1024, 256}, "gwq-x") * scale, y = x.matmul(w.t());
  WeightFisher fisher;
  for (int64_t i = 0; i < 8; ++i) {
    const Tensor output_gradient = random_tensor({128, 384}, concat("gwq-e", i));
    fisher.add(output_gradient.t().matmul(x.slice(0, 128 * i, 128 * (i + 1))), /*keep_full=*/true);
  }
  const auto error = [&](const Tensor& importance, double share) {
    return testing::relative_difference(x.matmul(rounded(w, keep_mask(importance, share)).t()), y);
  };
  const double gradient = error(fisher.full, 0.01), magnitude = error(w.abs(), 0.01),
               chance = error(random_tensor({384, 256}, "gwq-chance").abs(), 0.01);
  RecordProperty("errors", concat(gradient, ' ', magnitude, ' ', chance));
  EXPECT_TRUE(gradient < 0.95 * magnitude) << gradient << " " << magnitude;
  EXPECT_TRUE(magnitude < 0.99 * chance) << magnitude << " " << chance;
  EXPECT_EQ(error(fisher.full, 1), 0);
}

}  // namespace
}  // namespace svdlab
