#include "quant/rotator.h"
#include "quant/smoothing_exponents.h"

namespace svdlab {
namespace {

// (x R) / s: channels are balanced in the rotated space, where the outliers of single tokens have been spread
// over all channels (QuantVGGT, arXiv 2509.21302, section 3.2, without its learned clipping). Spans of the
// rotated input are those of the tokens that calibration kept.
class RotateSmooth final : public Transform {
 public:
  RotateSmooth(std::vector<Exponents> exponents, std::unique_ptr<Rotator> rotator)
      : exponents_(std::move(exponents)), rotator_(std::move(rotator)) {}

  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore& score) const override {
    const OnlineTransform rotation({}, rotator_->steps(problems, {}));
    std::vector<OnlineTransform> candidates;
    for (const Tensor& s : smoothing_vectors(rotated_spans(problems, rotation), exponents_)) {
      candidates.push_back(rotation);
      if (s.defined()) candidates.back().then.push_back(Divide{.by = s});
    }
    return best_of(problems, score, candidates, exponents_);
  }
  bool needs_stats() const override { return true; }
  bool needs_score() const override { return exponents_.size() > 1; }

 private:
  static Spans rotated_spans(std::span<const GroupProblem> problems, const OnlineTransform& rotation) {
    Spans s;
    const auto widen = [](Tensor& span, const Tensor& rows) {
      const Tensor values = rows.abs().amax(0).to(at::kDouble);
      span = span.defined() ? at::maximum(span, values) : values;
    };
    for (const GroupProblem& p : problems) {
      widen(s.input, rotation.apply(p.stats->reservoir));
      for (const Tensor& w : p.weights) widen(s.weight, rotation.weight(w));
    }
    return s;
  }

  std::vector<Exponents> exponents_;
  std::unique_ptr<Rotator> rotator_;
};

}  // namespace

std::unique_ptr<Transform> make_rotate_smooth(Fields& options) {
  auto exponents = read_exponents(options);
  return std::make_unique<RotateSmooth>(std::move(exponents), read_rotator(options));
}

}  // namespace svdlab
