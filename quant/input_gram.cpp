#include "quant/input_gram.h"

namespace svdlab {
namespace {

Tensor inverse_of(const Tensor& smooth) { return smooth.to(at::kDouble).reciprocal(); }

}  // namespace

Tensor input_gram_diagonal(const WeightContext& context) {
  const Tensor diagonal = context.gram.diagonal();
  if (!context.smooth.defined()) return diagonal;
  const Tensor inverse = inverse_of(context.smooth);
  return diagonal * inverse * inverse;
}

Tensor input_gram_blocks(const WeightContext& context, int64_t size) {
  const int64_t count = context.gram.size(0) / size;
  const Tensor blocks =
      context.gram.view({count, size, count, size}).diagonal(0, 0, 2).permute({2, 0, 1}).contiguous();
  if (!context.smooth.defined()) return blocks;
  const Tensor inverse = inverse_of(context.smooth);
  return blocks * inverse.view({count, 1, size}) * inverse.view({count, size, 1});
}

Tensor input_gram_part(const WeightContext& context, const Tensor& rows, const Tensor& columns) {
  Tensor part = context.gram.index_select(0, rows).index_select(1, columns).to(at::kDouble);
  if (!context.smooth.defined()) return part;
  const Tensor inverse = inverse_of(context.smooth);
  return part.mul_(inverse.index_select(0, columns).unsqueeze(0))
      .mul_(inverse.index_select(0, rows).unsqueeze(1));
}

}  // namespace svdlab
