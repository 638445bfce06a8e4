#pragma once
#include <string>
#include <vector>

#include "core/ir/tensor.h"
#include "eval/feature_network.h"
#include "eval/frechet.h"

namespace svdlab {

/// What a network says of a set of pictures: features, or only their statistics.
struct FeatureSet {
  std::string source;  ///< folder or file
  Tensor features;     ///< double [n, D], one row a picture; undefined when only the statistics are known
  FeatureStats stats;
  int64_t n = 0;  ///< 0: a file that does not say

  int64_t dimensions() const { return stats.mean.numel(); }
};

/// The set of `rows` of features, each [D], of the pictures `names`. kInput below two rows and, with names
/// and count, when features are not finite.
FeatureSet feature_set(const std::string& source, const std::string& network,
                       const std::vector<std::string>& names, const std::vector<Tensor>& rows);

/// The same of a folder's pictures <name>.png (grid.png, svdlab's overview, is none of them).
FeatureSet feature_set(const std::string& folder, const FeatureNetwork& network, int threads);

/// Reads statistics as pytorch-fid and clean-fid store them (.npz with `mu` [D] and `sigma` [D, D]), svdlab's
/// own with `n`, and clean-fid's features for KID (`feats` [n, D]). kInput naming file and values for other
/// shapes, for values that are not finite and for a sigma that is no covariance.
FeatureSet load_feature_set(const std::string& npz);

/// Writes `mu`, `sigma` and `n`, and `feats` where they are known: pytorch-fid and clean-fid read it.
void save_feature_set(const std::string& npz, const FeatureSet& set);

}  // namespace svdlab
