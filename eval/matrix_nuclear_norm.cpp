#include "eval/matrix_nuclear_norm.h"

#include <algorithm>

#include "core/base/error.h"

namespace svdlab {
namespace {

void require_matrix(const Tensor& a) {
  SVDLAB_REQUIRE(a.dim() == 2 && a.numel() > 0, Errc::kInput,
                 "matrix nuclear norm needs a matrix [tokens, channels] with elements, not ", a.sizes());
}

}  // namespace

double largest_column_norms(const Tensor& a) {
  require_matrix(a);
  const Tensor norms = a.to(at::kDouble).square().sum(0).sqrt();
  return std::get<0>(norms.topk(std::min(a.size(0), a.size(1)))).sum().item<double>();
}

double matrix_nuclear_norm(const Tensor& hidden) {
  require_matrix(hidden);
  const Tensor wide = hidden.to(at::kDouble);
  const Tensor centred = wide - wide.mean(0, /*keepdim=*/true);
  const Tensor length = centred.square().sum(1, /*keepdim=*/true).sqrt();
  return largest_column_norms(centred / at::where(length == 0, at::ones_like(length), length));
}

}  // namespace svdlab
