#include "core/base/error.h"
#include "core/base/rng.h"
#include "kernels/quantize_matrix.h"
#include "quant/smoothing.h"
#include "quant/smoothing_exponents.h"

namespace svdlab {
namespace {

enum class Law { kUniform, kGaussian };

// One draw for each channel: uniform in [-1, 1), or standard normal.
Tensor draws(int64_t channels, Law law, uint64_t seed) {
  const Rng rng(seed, "noisy");
  const Tensor out = at::empty({channels}, at::kDouble);
  for (int64_t k = 0; k < channels; ++k)
    out.data_ptr<double>()[k] = law == Law::kUniform ? 2.0 * rng.uniform(static_cast<uint64_t>(k)) - 1
                                                     : rng.normal(static_cast<uint64_t>(k));
  return out;
}

// The step between codes of each channel [K] fp64 if the largest values of calibration met in one token; of
// e2m1, whose codes are not even, the mean step.
Tensor steps_of(const GroupProblem& p, const Tensor& span) {
  const TensorScheme& t = p.scheme.activations->tensor;
  const double codes = t.format == NumberFormat::kAffine    ? ((1 << t.bits) - 1) / 2.0
                       : t.format == NumberFormat::kFp4E2M1 ? 7.0
                                                            : largest_code_value(t.format);
  const Tensor out = at::empty_like(span);
  for (const Segment& s : p.segments) {
    const int64_t run = t.grouping == Grouping::kGroup ? t.group : s.size();
    for (int64_t k = s.begin; k < s.end; k += run)
      out.slice(0, k, k + run).fill_(span.slice(0, k, k + run).max().item<double>() / codes);
  }
  return out;
}

// NoisyQuant (arXiv 2211.16056): a fixed noise vector N is added to the input before it is rounded, and what
// it adds to the output is taken out of the bias: y = W Q(x + N) - W N. Rounding then errs as if at random
// where it would err alike in every token. N is drawn once for a seed, times a range in steps between codes:
// given, or the best of `grid` ranges up to one step and of no noise at all. In the search's report alpha is
// the range. The paper's noise is uniform, its program's gaussian (then the range is the standard deviation).
class Noisy final : public Transform {
 public:
  Noisy(Law law, std::vector<double> ranges, Exponents smoothing, uint64_t seed)
      : law_(law), ranges_(std::move(ranges)), smoothing_(smoothing), seed_(seed) {}

  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore& score) const override {
    const GroupProblem& p = problems.front();
    SVDLAB_REQUIRE(p.scheme.activations, Errc::kConfig, "transform noisy: scheme ", p.scheme.name,
                   " does not round activations; choose one that does");
    const Spans spans = spans_of(problems, /*mixed=*/true);
    const Tensor smooth = smoothing_vector(spans, smoothing_);
    const Tensor span = smooth.defined() ? spans.input / smooth : spans.input;
    const Tensor noise = draws(p.channels(), law_, seed_) * steps_of(p, span);
    std::vector<OnlineTransform> candidates;
    std::vector<SearchStep> steps;
    for (const double range : ranges_) {
      const Tensor add = (noise * range).to(at::kBFloat16).to(at::kFloat);
      candidates.push_back(range == 0 ? OnlineTransform(smooth) : OnlineTransform(smooth, {Offset{add}}));
      steps.push_back({.alpha = range});
    }
    if (candidates.size() == 1) return {candidates.front(), {}};
    return best_smoothing(problems, score, Through::kRecipe, candidates, std::move(steps));
  }
  bool needs_stats() const override { return true; }
  bool needs_score() const override { return ranges_.size() > 1; }

 private:
  Law law_;
  std::vector<double> ranges_;
  Exponents smoothing_;
  uint64_t seed_;
};

// No noise first, then up to one step.
std::vector<double> read_ranges(Fields& options) {
  if (options.has("range")) {
    const double range = options.number("range", 0);
    SVDLAB_REQUIRE(range >= 0 && range <= 16, Errc::kConfig, options.where(), ": `", options.path_of("range"),
                   "` is in steps between codes, 0 to 16, not ", range);
    return {range};
  }
  const int64_t grid = options.integer("grid", 8);
  SVDLAB_REQUIRE(grid >= 1 && grid <= 1000, Errc::kConfig, options.where(), ": `", options.path_of("grid"),
                 "` must be 1 to 1000, not ", grid);
  std::vector<double> out;
  for (int64_t i = 0; i <= grid; ++i) out.push_back(static_cast<double>(i) / static_cast<double>(grid));
  return out;
}

}  // namespace

std::unique_ptr<Transform> make_noisy(Fields& options) {
  const std::string law = options.text("law", "uniform");
  SVDLAB_REQUIRE(law == "uniform" || law == "gaussian", Errc::kConfig, options.where(), ": `",
                 options.path_of("law"), "` must be uniform or gaussian, not \"", law, "\"");
  const Exponents smoothing{options.number("alpha", 0), options.number("beta", 0)};
  const int64_t seed = options.integer("seed", 0);
  return std::make_unique<Noisy>(law == "uniform" ? Law::kUniform : Law::kGaussian, read_ranges(options),
                                 smoothing, static_cast<uint64_t>(seed));
}

}  // namespace svdlab
