#pragma once
#include <string>

#include "eval/feature_set.h"
#include "eval/measured.h"

namespace svdlab {

/// Adds frechet and, where the features of both sides are known, kid, precision and recall of `candidate`
/// against `reference`; what cannot be measured and what a small n does become notes.
/// @param paired  row i of both sides is one item: intervals then resample items, kid takes the two sides of
///                a subset from different items
/// @param network  who made the features, for the table. Throws kInput on unequal numbers of features.
void add_set_metrics(const FeatureSet& reference, const FeatureSet& candidate, bool paired,
                     const std::string& network, Measurements& to);

}  // namespace svdlab
