#include "eval/pair_sums.h"

#include <algorithm>

#include "core/base/error.h"

namespace svdlab {
namespace {

// Elements converted to double at a time: bounds the extra memory, and short runs keep rounding errors small.
constexpr int64_t kBlock = 1 << 14;

Tensor flat(const Tensor& t) { return t.detach().cpu().contiguous().view(-1); }

}  // namespace

PairSums pair_sums(const Tensor& reference, const Tensor& candidate) {
  SVDLAB_REQUIRE(reference.sizes() == candidate.sizes(), Errc::kInput, "a metric compares equal shapes, not ",
                 reference.sizes(), " with ", candidate.sizes());
  SVDLAB_REQUIRE(reference.numel() > 0, Errc::kInput, "a metric of empty tensors of shape ",
                 reference.sizes());
  const Tensor x = flat(reference), y = flat(candidate);
  PairSums total;
  for (int64_t start = 0; start < x.numel(); start += kBlock) {
    const int64_t n = std::min(kBlock, x.numel() - start);
    const Tensor bx = x.narrow(0, start, n).to(at::kDouble), by = y.narrow(0, start, n).to(at::kDouble);
    const double *px = bx.data_ptr<double>(), *py = by.data_ptr<double>();
    PairSums block;
    for (int64_t i = 0; i < n; ++i) {
      const double d = px[i] - py[i];
      block.reference += px[i] * px[i];
      block.candidate += py[i] * py[i];
      block.product += px[i] * py[i];
      block.difference += d * d;
    }
    total.reference += block.reference;
    total.candidate += block.candidate;
    total.product += block.product;
    total.difference += block.difference;
  }
  return total;
}

}  // namespace svdlab
