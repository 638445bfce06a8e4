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

Tensor input_gram_block(const WeightContext& context, int64_t begin, int64_t end) {
  const Tensor block = context.gram.slice(0, begin, end).slice(1, begin, end);
  if (!context.smooth.defined()) return block;
  const Tensor inverse = inverse_of(context.smooth.slice(0, begin, end));
  return block * inverse.unsqueeze(0) * inverse.unsqueeze(1);
}

Tensor input_gram_part(const WeightContext& context, const Tensor& rows, const Tensor& columns) {
  Tensor part = context.gram.index_select(0, rows).index_select(1, columns).to(at::kDouble);
  if (!context.smooth.defined()) return part;
  const Tensor inverse = inverse_of(context.smooth);
  return part.mul_(inverse.index_select(0, columns).unsqueeze(0))
      .mul_(inverse.index_select(0, rows).unsqueeze(1));
}

}  // namespace svdlab
