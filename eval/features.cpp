#include "eval/features.h"

#include "core/base/error.h"

namespace svdlab {

std::pair<Tensor, Tensor> feature_pair(const Tensor& a, const Tensor& b, int64_t least,
                                       const std::string& what) {
  const bool ok = a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(1) && a.size(1) >= 1 &&
                  a.size(0) >= least && b.size(0) >= least;
  SVDLAB_REQUIRE(ok, Errc::kInput, what, " of features of shape ", a.sizes(), " and ", b.sizes(),
                 "; it takes [n, D] and [m, D] with n and m of at least ", least);
  const auto as_double = [](const Tensor& t) { return t.detach().cpu().to(at::kDouble).contiguous(); };
  return {as_double(a), as_double(b)};
}

void require_finite(const Tensor& features, const std::string& what) {
  const Tensor bad = at::isfinite(features).all(1).logical_not();
  if (!bad.any().item<bool>()) return;
  throw Error(Errc::kInput, concat(what, ": the features of picture ",
                                   at::argmax(bad.to(at::kLong)).item<int64_t>(), " are not finite"));
}

}  // namespace svdlab
