#include "quant/rotator.h"
#include "quant/smoothing_exponents.h"

namespace svdlab {
namespace {

// (x / s) R: outliers go to the weight first, and what is left of them, in input and weight, is spread. With
// `grid` the exponents of s are searched with the rotation in the loop.
class SmoothRotate final : public Transform {
 public:
  SmoothRotate(std::vector<Exponents> exponents, std::unique_ptr<Rotator> rotator)
      : exponents_(std::move(exponents)), rotator_(std::move(rotator)) {}

  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore& score) const override {
    std::vector<OnlineTransform> candidates;
    for (const Tensor& s : smoothing_vectors(spans_of(problems, /*mixed=*/true), exponents_))
      candidates.push_back({s, rotator_->steps(problems, s)});
    return best_of(problems, score, candidates, exponents_);
  }
  bool needs_stats() const override { return true; }
  bool needs_score() const override { return exponents_.size() > 1; }

 private:
  std::vector<Exponents> exponents_;
  std::unique_ptr<Rotator> rotator_;
};

}  // namespace

std::unique_ptr<Transform> make_smooth_rotate(Fields& options) {
  auto exponents = read_exponents(options);
  return std::make_unique<SmoothRotate>(std::move(exponents), read_rotator(options));
}

}  // namespace svdlab
