#include "core/base/error.h"
#include "quant/activation_quantizer.h"

namespace svdlab {
namespace {

// CrossQuant (arXiv 2410.07505): element (i, j) has the step t_i^alpha c_j^(1 - alpha) / largest code, t_i
// the largest magnitude of its token and c_j that of its channel. Channels' are taken from calibration, so
// that their part is a smoothing vector, transform {smooth: {alpha: 1 - alpha, beta: 0}}, and codes can be
// multiplied as they are; what is left is a scale for each token.
class CrossActivations final : public ActivationQuantizer {
 public:
  explicit CrossActivations(double alpha) : alpha_(alpha) {}

  ActivationFit fit(const GroupProblem& problem, const OnlineTransform& online) const override {
    ActivationFit out{*problem.scheme.activations};
    const TensorScheme& tensor = out.scheme.tensor;
    SVDLAB_REQUIRE(tensor.grouping == Grouping::kRow && tensor.format != NumberFormat::kAffine, Errc::kConfig,
                   "activations cross: one scale for each token and no zero point; in the scheme set "
                   "activations: {grouping: row} and a signed format");
    SVDLAB_REQUIRE(!out.scheme.shift_after_gelu, Errc::kConfig,
                   "activations cross: the token's largest magnitude does not bound shifted codes; in the "
                   "scheme set activations: {shift_after_gelu: false}");
    SVDLAB_REQUIRE(online.then.empty() && (online.smooth.defined() || alpha_ == 1), Errc::kConfig,
                   "activations cross: with alpha ", alpha_, " channels must be divided by their maxima to ",
                   1 - alpha_, "; use transform: {smooth: {alpha: ", 1 - alpha_, ", beta: 0}}");
    out.scheme.range = Range::kCross;
    out.scheme.exponent = alpha_;
    return out;
  }
  bool needs_stats() const override { return false; }

 private:
  double alpha_;
};

}  // namespace

std::unique_ptr<ActivationQuantizer> make_cross_activations(Fields& options) {
  const double alpha = options.number("alpha", 0.15);
  SVDLAB_REQUIRE(alpha > 0 && alpha <= 1, Errc::kConfig, options.where(), ": `", options.path_of("alpha"),
                 "` must be above 0 and at most 1, not ", alpha);
  return std::make_unique<CrossActivations>(alpha);
}

}  // namespace svdlab
