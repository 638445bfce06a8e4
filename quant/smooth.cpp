#include "quant/smoothing_exponents.h"

namespace svdlab {
namespace {

// SmoothQuant's migration of outliers from the input to the weight, s_k = amax_x(k)^alpha / amax_w(k)^beta
// (arXiv 2211.10438), with given exponents, or with those of a grid that have the smallest output error.
class Smoothing final : public Transform {
 public:
  explicit Smoothing(std::vector<Exponents> exponents) : exponents_(std::move(exponents)) {}

  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore& score) const override {
    const std::vector<Tensor> vectors = smoothing_vectors(spans_of(problems), exponents_);
    return best_of(problems, score, {vectors.begin(), vectors.end()}, exponents_);
  }
  bool needs_stats() const override { return true; }
  bool needs_score() const override { return exponents_.size() > 1; }

 private:
  std::vector<Exponents> exponents_;
};

}  // namespace

std::unique_ptr<Transform> make_smooth(Fields& options) {
  return std::make_unique<Smoothing>(read_exponents(options));
}

}  // namespace svdlab
