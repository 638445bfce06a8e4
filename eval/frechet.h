#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Gaussian fitted to features: what pytorch-fid stores as `mu` and `sigma`.
struct FeatureStats {
  Tensor mean;        ///< float64 [D]
  Tensor covariance;  ///< float64 [D, D], normalised by n - 1
};

/// @param features [n, D], n >= 2; kInput otherwise.
FeatureStats feature_stats(const Tensor& features);

/// Frechet distance ||m1 - m2||^2 + tr(S1 + S2 - 2 sqrt(S1 S2)) (Heusel et al. 2017), in float64, with
/// tr sqrt(S1 S2) = sum sqrt(eig(S1^1/2 S2 S1^1/2)). At least 0; NaN when an input is not finite. Biased for
/// n below a few times D. Throws kInput on unequal sizes.
double frechet_distance(const FeatureStats& a, const FeatureStats& b);

}  // namespace svdlab
