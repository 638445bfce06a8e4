#include <cmath>

#include "core/base/error.h"
#include "kernels/quantize_matrix.h"
#include "quant/activation_quantizer.h"
#include "quant/affine_range.h"
#include "quant/smoothing.h"

namespace svdlab {
namespace {

// Of one K range.
struct Limits {
  double low, high;
};

// What a share `p` of all values does not exceed; p = 1: the largest.
double value_at(const Tensor& values, double p) {
  const Tensor flat = values.reshape({-1});
  const auto k = static_cast<int64_t>(std::ceil(p * static_cast<double>(flat.numel())));
  return std::get<0>(flat.kthvalue(std::max<int64_t>(k, 1))).item<double>();
}

// One range for each K range of the input, from calibration: its smallest and largest value (Krishnamoorthi,
// arXiv 1806.08342), or a percentile beyond which values clip (Quamba, arXiv 2410.13229, section 4.2). Affine
// where the scheme's format is affine, else symmetric. Exact where the transform keeps channels apart, of the
// reservoir's tokens where it mixes them or where a percentile is asked for.
class StaticActivations final : public ActivationQuantizer {
 public:
  StaticActivations(double percentile, double step) : percentile_(percentile), step_(step) {}

  ActivationFit fit(const GroupProblem& problem, const OnlineTransform& online) const override {
    ActivationFit out{*problem.scheme.activations};
    check(out.scheme, online);
    out.scheme.range = Range::kStatic;
    if (!online.then.empty()) out.scheme.shift_after_gelu = false;
    const Tensor rows = observed(problem, online);
    out.ranges = at::empty({static_cast<int64_t>(problem.segments.size()), 2}, at::kFloat);
    for (size_t i = 0; i < problem.segments.size(); ++i)
      out.ranges[static_cast<int64_t>(i)].copy_(range_of(problem, online, out.scheme, i, rows));
    return out;
  }
  bool needs_stats() const override { return true; }

 private:
  void check(const ActivationScheme& scheme, const OnlineTransform& online) const {
    const bool affine = scheme.tensor.format == NumberFormat::kAffine;
    SVDLAB_REQUIRE(scheme.tensor.grouping == Grouping::kTensor, Errc::kConfig,
                   "activations static: one range serves every token; in the scheme set activations: "
                   "{grouping: tensor}");
    SVDLAB_REQUIRE(!affine || !scheme.shift_after_gelu, Errc::kConfig,
                   "activations static: affine codes have a zero point; drop shift_after_gelu");
    const bool set_apart =
        online.smooth.defined() && online.then.size() == 1 && std::holds_alternative<Offset>(online.then[0]);
    SVDLAB_REQUIRE(step_ == 0 || (affine && set_apart), Errc::kConfig,
                   "activations static: `step` is for affine codes behind transform repq; without it the "
                   "range is taken from calibration");
  }

  // Rows whose values span the input of each channel: [T, K], transformed but for a shift behind GELU.
  Tensor observed(const GroupProblem& problem, const OnlineTransform& online) const {
    const ActivationStats& stats = *problem.stats;
    const bool exact = percentile_ == 1 && !online.mixes_channels();
    return online.apply(exact ? at::stack({stats.min, stats.max}) : stats.reservoir);
  }

  Tensor range_of(const GroupProblem& problem, const OnlineTransform& online, const ActivationScheme& scheme,
                  size_t index, const Tensor& rows) const {
    const TensorScheme& tensor = scheme.tensor;
    if (step_ > 0) return at::tensor({step_, std::exp2(tensor.bits - 1.0)}).to(at::kFloat);
    const Segment& segment = problem.segments[index];
    const bool shifted = scheme.shift_after_gelu && is_shifted(problem, segment);
    Tensor values = rows.slice(1, segment.begin, segment.end);
    if (shifted)
      values =
          values + (online.smooth.defined() ? kGeluShift / online.smooth.slice(0, segment.begin, segment.end)
                                            : at::full({segment.size()}, kGeluShift));
    if (tensor.format == NumberFormat::kAffine) {
      const AffineRange range =
          affine_range(at::tensor(-value_at(-values, percentile_)), at::tensor(value_at(values, percentile_)),
                       tensor.bits, ScaleFormat::kFp32);
      return at::cat({range.scale, range.zero});
    }
    const double largest = value_at(shifted ? values : values.abs(), percentile_),
                 code = largest_code_value(shifted ? NumberFormat::kUint4 : tensor.format);
    return at::tensor({std::max(largest / code, 0x1p-126), 0.0}).to(at::kFloat);
  }

  double percentile_, step_;
};

}  // namespace

std::unique_ptr<ActivationQuantizer> make_static_activations(Fields& options) {
  const double percentile = options.number("percentile", 1), step = options.number("step", 0);
  SVDLAB_REQUIRE(percentile > 0.5 && percentile <= 1, Errc::kConfig, options.where(), ": `",
                 options.path_of("percentile"), "` must be above 0.5 and at most 1, not ", percentile);
  SVDLAB_REQUIRE(step >= 0 && std::isfinite(step), Errc::kConfig, options.where(), ": `",
                 options.path_of("step"), "` must be positive, not ", step);
  return std::make_unique<StaticActivations>(percentile, step);
}

}  // namespace svdlab
