#include "eval/set_metrics.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/runtime/single_thread.h"
#include "eval/frechet_interval.h"
#include "eval/kid.h"
#include "eval/precision_recall.h"

namespace svdlab {
namespace {

constexpr int64_t kNeighbours = 3;
// 200 resamples take a minute beyond.
constexpr int64_t kMostForInterval = 512;

Interval frechet_of(const FeatureSet& a, const FeatureSet& b, bool paired) {
  if (b.features.defined() && b.dimensions() <= kMostForInterval)
    return paired ? frechet_interval(a.features, b.features, "frechet")
                  : frechet_interval(a.stats, b.features, "frechet");
  return {frechet_distance(a.stats, b.stats), std::nan(""), std::nan(""), b.n};
}

// The smaller of the two numbers of pictures; 0 when neither is known.
int64_t known_n(const FeatureSet& a, const FeatureSet& b) {
  return a.n > 0 && b.n > 0 ? std::min(a.n, b.n) : std::max(a.n, b.n);
}

void note_few(const FeatureSet& a, const FeatureSet& b, Measurements& to) {
  const int64_t n = known_n(a, b), d = b.dimensions();
  if (n == 0)
    to.note(concat("frechet: ", a.source, " and ", b.source,
                   " do not say how many pictures they stand for; a small n makes it too large"));
  else if (n < 4 * d)
    to.note(concat("frechet: ", n, " pictures are few for ", d, " features",
                   n <= d ? ", whose covariance they cannot determine" : "",
                   "; it comes out too large, compare only with values of the same n"));
}

}  // namespace

void add_set_metrics(const FeatureSet& a, const FeatureSet& b, bool paired, const std::string& network,
                     Measurements& to) {
  const SingleThreadScope one;
  SVDLAB_REQUIRE(a.dimensions() == b.dimensions(), Errc::kInput, a.source, " has ", a.dimensions(),
                 " features and ", b.source, " has ", b.dimensions(),
                 "; both sides must come from one network");
  const auto add = [&](const char* metric, const Interval& interval, const std::string& by) {
    to.add(metric, interval, by, a.source);
  };
  add("frechet", frechet_of(a, b, paired), network);
  note_few(a, b, to);
  if (b.dimensions() > kMostForInterval)
    to.note(concat("frechet: no interval above ", kMostForInterval, " features"));
  if (!a.features.defined() || !b.features.defined())
    return to.note("kid, precision, recall: not measured; statistics alone do not give them");
  const int64_t n = std::min(a.n, b.n);
  if (n <= kNeighbours)
    return to.note(concat("kid, precision, recall: not measured; ", n, " pictures, they take at least ",
                          kNeighbours + 1));
  add("kid", kid(a.features, b.features, {.paired = paired}),
      concat(network, ", 100 subsets of ", std::min<int64_t>(n / 2, 1000),
             paired ? ", sides of different items" : ""));
  const PrecisionRecall manifold = precision_recall(a.features, b.features, kNeighbours);
  const std::string neighbours = concat(network, ", k = ", kNeighbours);
  add("precision", manifold.precision, neighbours);
  add("recall", manifold.recall, neighbours);
  if (paired) to.note("precision, recall: near 1 as long as each picture stays near its partner");
}

}  // namespace svdlab
