#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "quant/inverse_factor.h"
#include "quant/weight_importance.h"

namespace svdlab {
namespace {

// SpQR's outliers (arXiv 2306.03078): how much smaller the error sum of (w - q)^2 / [H^-1]_jj of a group gets
// when one of its weights is left out, of its own error and of the scale that it stretches. H is the damped
// Gram matrix of the input. Relative to the mean of var(w_j) / [H^-1]_jj over columns j, which is what the
// paper's threshold is relative to. All groups of the matrix leave out their i-th weight at once.
class SpqrImportance final : public WeightImportance {
 public:
  explicit SpqrImportance(double damping) : damping_(damping) {}

  std::vector<Tensor> of(const GroupProblem& problem, const WeightQuantizer& quantizer) const override {
    WeightContext context;
    context.gram = problem.stats->gram;
    const Tensor inverse = inverse_factor(context, at::arange(problem.channels()), damping_).square().sum(0);
    const Tensor weight = inverse.reciprocal();  // of a squared error in each column
    std::vector<Tensor> out;
    for (const Tensor& w : problem.weights) {
      const double typical = (w.to(at::kDouble).var(0, /*unbiased=*/false) * weight).mean().item<double>();
      const Tensor gains = gains_of(w, *problem.scheme.weights, quantizer, context, weight);
      out.push_back(typical > 0 ? gains / typical : at::zeros_like(gains));
    }
    return out;
  }
  bool is_relative() const override { return true; }
  bool needs_stats() const override { return true; }

 private:
  // [out, K] fp64.
  static Tensor gains_of(const Tensor& w, const TensorScheme& scheme, const WeightQuantizer& quantizer,
                         const WeightContext& context, const Tensor& weight) {
    const QuantizedTensor whole = quantizer.quantize(w, scheme, context);
    SVDLAB_REQUIRE(whole.scheme.grouping == Grouping::kGroup, Errc::kConfig,
                   "outliers by spqr are those of short groups, but the weights have one scale for a row; "
                   "use a scheme with groups, weights bilevel, or choose outliers by magnitude");
    const int64_t group = whole.scheme.group;
    const auto errors = [&](const Tensor& kept, const QuantizedTensor& q) {
      return ((kept - dequantize(q)).to(at::kDouble).square() * weight).view({w.size(0), -1, group});
    };
    const Tensor before = errors(w, whole).sum(2);
    const Tensor gains = at::empty({w.size(0), w.size(1) / group, group}, at::kDouble);
    for (int64_t i = 0; i < group; ++i) {
      Tensor kept = w.clone(at::MemoryFormat::Contiguous);
      kept.view({w.size(0), -1, group}).select(2, i).zero_();
      const Tensor after = errors(kept, quantizer.quantize(kept, scheme, context));
      after.select(2, i).zero_();
      gains.select(2, i).copy_(before - after.sum(2));
    }
    return gains.clamp_min_(0).view({w.size(0), w.size(1)});
  }

  double damping_;
};

}  // namespace

std::unique_ptr<WeightImportance> make_spqr_importance(Fields& options) {
  const double damping = options.number("damping", 0.01);
  SVDLAB_REQUIRE(damping >= 0, Errc::kConfig, options.where(), ": `", options.path_of("damping"),
                 "` must not be negative: ", damping);
  return std::make_unique<SpqrImportance>(damping);
}

}  // namespace svdlab
