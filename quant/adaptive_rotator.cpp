#include "core/base/error.h"
#include "quant/rotator.h"
#include "quant/salience.h"

namespace svdlab {

std::unique_ptr<Rotator> make_hadamard(Fields&);
std::unique_ptr<Rotator> make_outlier_aware(Fields&);

namespace {

// LRQ-DiT's adaptive rotation (arXiv 2508.03485): a layer whose input is mild is served by a Hadamard matrix,
// a salient one pays for the outlier-aware rotation. J = ||X||_F / sqrt(B N C) is the root mean square of the
// input, so `threshold` is in the input's own units.
class AdaptiveRotator final : public Rotator {
 public:
  AdaptiveRotator(double threshold, std::unique_ptr<Rotator> mild, std::unique_ptr<Rotator> salient)
      : threshold_(threshold), mild_(std::move(mild)), salient_(std::move(salient)) {}
  bool needs_stats() const override { return true; }
  std::vector<OnlineStep> steps(std::span<const GroupProblem> problems, const Tensor& smooth) const override {
    return (salience(problems, smooth) < threshold_ ? mild_ : salient_)->steps(problems, smooth);
  }

 private:
  double threshold_;
  std::unique_ptr<Rotator> mild_, salient_;
};

// The options under `key`, or defaults.
std::unique_ptr<Rotator> read_part(Fields& options, const std::string& key, RotatorFactory make) {
  static const Value none = Value::map();
  const Value* given = options.child(key);
  Fields fields(given ? *given : none, options.path_of(key));
  auto rotator = make(fields);
  fields.finish();
  return rotator;
}

}  // namespace

std::unique_ptr<Rotator> make_adaptive(Fields& options) {
  const double threshold = options.number("threshold", 1.0);
  SVDLAB_REQUIRE(threshold >= 0, Errc::kConfig, options.where(), ": `", options.path_of("threshold"),
                 "` must not be negative: ", threshold);
  auto mild = read_part(options, "hadamard", make_hadamard);
  return std::make_unique<AdaptiveRotator>(threshold, std::move(mild),
                                           read_part(options, "outlier_aware", make_outlier_aware));
}

}  // namespace svdlab
