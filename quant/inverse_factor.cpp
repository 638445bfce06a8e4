#include "quant/inverse_factor.h"

#include <algorithm>

#include "core/base/error.h"
#include "quant/input_gram.h"

namespace svdlab {
namespace {

constexpr int kTries = 12;
constexpr int64_t kBlock = 2048;      // columns that are factored at once
constexpr int64_t kRowsAtOnce = 256;  // of the Gram matrix, while it is put into order

Tensor ordered_gram(const WeightContext& context, const Tensor& order) {
  const int64_t size = order.size(0);
  const Tensor dead = input_gram_diagonal(context).index_select(0, order) <= 0;
  Tensor h = at::empty({size, size}, context.gram.options().dtype(at::kDouble));
  for (int64_t r = 0; r < size; r += kRowsAtOnce) {
    const int64_t end = std::min(r + kRowsAtOnce, size);
    Tensor rows = input_gram_part(context, order.slice(0, r, end), order);
    SVDLAB_REQUIRE(rows.isfinite().all().item<bool>(), Errc::kInput,
                   "gptq: the Gram matrix has a NaN or infinity");
    rows.masked_fill_(dead.unsqueeze(0).logical_or(dead.slice(0, r, end).unsqueeze(1)), 0);
    h.slice(0, r, end).copy_(rows);
  }
  Tensor diagonal = h.diagonal();
  diagonal.masked_fill_(dead, 1);
  return h;
}

/// R^-1 of one block h = R R^T, R upper triangular; undefined when h is not positive definite. By reversal: J
/// h J = L L^T gives R^-1 = J L^-1 J.
Tensor inverse_of_block(const Tensor& h) {
  const auto [lower, info] = at::linalg_cholesky_ex(h.flip({0, 1}));
  if (info.item<int>() != 0) return {};
  const Tensor identity = at::eye(h.size(0), h.options());
  return at::linalg_solve_triangular(lower, identity, /*upper=*/false).flip({0, 1}).contiguous();
}

/// h becomes U. False: h is not positive definite, and of no more use.
bool factor_in_place(Tensor& h) {
  const int64_t size = h.size(0), blocks = (size + kBlock - 1) / kBlock;
  const auto end_of = [&](int64_t block) { return std::min((block + 1) * kBlock, size); };
  // R column by column of blocks, the last first; on the diagonal its inverse, below it zeros.
  for (int64_t b = blocks - 1; b >= 0; --b) {
    const int64_t begin = b * kBlock, end = end_of(b);
    Tensor diagonal = h.slice(0, begin, end).slice(1, begin, end);
    const Tensor inverse = inverse_of_block(diagonal);
    if (!inverse.defined()) return false;
    diagonal.copy_(inverse);
    if (b == 0) break;
    h.slice(0, begin, end).slice(1, 0, begin).zero_();
    Tensor above = h.slice(0, 0, begin).slice(1, begin, end);
    above.copy_(at::mm(above, inverse.t()));
    for (int64_t r = 0; r < b; ++r) {  // on and above the diagonal
      const int64_t row = r * kBlock;
      Tensor rest = h.slice(0, row, end_of(r)).slice(1, row, begin);
      rest.addmm_(above.slice(0, row, end_of(r)), above.slice(0, row, begin).t(), 1, -1);
    }
  }
  // U(:b, b) = -U(:b, :b) R(:b, b) R(b, b)^-1, from the first block on.
  for (int64_t b = 1; b < blocks; ++b) {
    const int64_t begin = b * kBlock, end = end_of(b);
    const Tensor above = h.slice(0, 0, begin).slice(1, begin, end);
    const Tensor diagonal = h.slice(0, begin, end).slice(1, begin, end);
    for (int64_t r = 0; r < b; ++r) {  // a row of blocks needs those below it as they were
      const int64_t row = r * kBlock;
      const Tensor known = h.slice(0, row, end_of(r)).slice(1, row, begin);
      Tensor part = above.slice(0, row, end_of(r));
      part.copy_(at::mm(at::mm(known, above.slice(0, row, begin)), diagonal).neg_());
    }
  }
  return true;
}

}  // namespace

Tensor inverse_factor(const WeightContext& context, const Tensor& order, double damping) {
  double added = 0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    Tensor h = ordered_gram(context, order);
    const double mean = h.diagonal().mean().item<double>();
    added = attempt == 0 ? damping * mean : std::max(10 * added, 1e-8 * mean);
    h.diagonal().add_(added);
    if (factor_in_place(h)) return h;
  }
  throw Error(Errc::kInput,
              concat("gptq: the Gram matrix of ", order.size(0), " channels is not positive definite after ",
                     kTries, " tries, the last with damping ", added));
}

}  // namespace svdlab
