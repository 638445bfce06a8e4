#include "quant/smoothing.h"

namespace svdlab {
namespace {

// Smoothing without a search. Rounding noise of a group g of channels has a variance proportional to the mean
// square of what shares a scale, so with the vector s the output error of a linear is, up to constants,
//   sum over g of (sum_k in g  h_k / s_k^2) (sum_k in g  s_k^2 ||w_k||^2),
// h_k the mean square of input channel k and w_k its column of weights: rounded weights times the input's
// energy, and rounded inputs times the weight's energy, are the same product. By Cauchy and Schwarz no s is
// better than
//   s_k = (h_k / ||w_k||^2)^(1/4).
// For a quantizer whose scale follows larger powers p of the weight than the square the exponent of h falls:
//   s_k = (h_k / sum_n |w_nk|^p)^(1 / (p + 2)),
// the form of H-SVDQuant ("Deflating the Hessian"). Scaled to a geometric mean of 1: e4m3 scales of
// activations have no tensor scale that would take up a constant.
class ClosedFormSmoothing final : public Transform {
 public:
  explicit ClosedFormSmoothing(double p) : p_(p) {}

  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore&) const override {
    Tensor input = at::zeros_like(problems.front().stats->sum), weight = at::zeros_like(input);
    for (const GroupProblem& g : problems) {
      input.add_(mean_square(g));
      for (const Tensor& w : g.weights) weight.add_(w.abs().to(at::kDouble).pow_(p_).sum(0));
    }
    const Tensor raw = input.div(weight).pow(1 / (p_ + 2));
    const Tensor usable = raw.isfinite().logical_and(raw > 0);
    if (!usable.any().item<bool>()) return {at::ones_like(raw, at::kFloat), {}};
    return {stored_smoothing(raw / raw.masked_select(usable).log().mean().exp()), {}};
  }
  bool needs_stats() const override { return true; }

 private:
  // Of what is quantized: E (x + shift)^2.
  static Tensor mean_square(const GroupProblem& g) {
    Tensor h = g.stats->gram.diagonal() / static_cast<double>(g.stats->tokens);
    const Tensor mean = g.stats->mean();
    for (const Segment& s : g.segments)
      if (is_shifted(g, s)) {
        const double shift = kGeluShift;
        h.slice(0, s.begin, s.end).add_(2 * shift * mean.slice(0, s.begin, s.end) + shift * shift);
      }
    return h;
  }

  double p_;
};

}  // namespace

std::unique_ptr<Transform> make_closed_form_smoothing(Fields& options) {
  const double p = options.number("p", 2);
  SVDLAB_REQUIRE(p >= 1 && p <= 16, Errc::kConfig, options.where(), ": `", options.path_of("p"),
                 "` must be 1 to 16, not ", p);
  return std::make_unique<ClosedFormSmoothing>(p);
}

}  // namespace svdlab
