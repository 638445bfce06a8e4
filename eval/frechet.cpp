#include "eval/frechet.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/base/error.h"

namespace svdlab {
namespace {

// Eigenvalues of a covariance are not negative; rounding may say -1e-17.
Tensor root(const Tensor& eigenvalues) { return eigenvalues.clamp_min(0).sqrt(); }

double trace_of_root(const Tensor& a, const Tensor& b) {
  const auto [values, vectors] = at::linalg_eigh(a);
  const Tensor half = at::matmul(vectors * root(values), vectors.t());
  const Tensor middle = at::matmul(at::matmul(half, b), half);
  const Tensor symmetric = (middle + middle.t()) / 2;  // eigh reads one triangle only
  return root(std::get<0>(at::linalg_eigh(symmetric))).sum().item<double>();
}

Tensor as_double(const Tensor& t) { return t.detach().cpu().to(at::kDouble).contiguous(); }

bool all_finite(const Tensor& t) { return at::isfinite(t).all().item<bool>(); }

}  // namespace

FeatureStats feature_stats(const Tensor& features) {
  SVDLAB_REQUIRE(features.dim() == 2 && features.size(0) >= 2 && features.size(1) >= 1, Errc::kInput,
                 "features of shape ", features.sizes(), "; a covariance takes [n, D] with n of at least 2");
  const Tensor x = as_double(features);
  const Tensor mean = x.mean(0);
  const Tensor centred = x - mean;
  return {mean, at::matmul(centred.t(), centred) / static_cast<double>(x.size(0) - 1)};
}

double frechet_distance(const FeatureStats& a, const FeatureStats& b) {
  const int64_t d = a.mean.numel();
  const bool ok = d > 0 && a.mean.sizes() == b.mean.sizes() &&
                  a.covariance.sizes() == at::IntArrayRef({d, d}) &&
                  b.covariance.sizes() == a.covariance.sizes();
  SVDLAB_REQUIRE(ok, Errc::kInput, "Frechet distance of mean ", a.mean.sizes(), ", covariance ",
                 a.covariance.sizes(), " and mean ", b.mean.sizes(), ", covariance ", b.covariance.sizes());
  const Tensor m1 = as_double(a.mean), m2 = as_double(b.mean);
  const Tensor s1 = as_double(a.covariance), s2 = as_double(b.covariance);
  for (const Tensor& t : {m1, m2, s1, s2})
    if (!all_finite(t)) return std::numeric_limits<double>::quiet_NaN();
  const double shift = (m1 - m2).square().sum().item<double>();
  const double distance =
      shift + s1.trace().item<double>() + s2.trace().item<double>() - 2 * trace_of_root(s1, s2);
  return std::max(distance, 0.0);
}

}  // namespace svdlab
