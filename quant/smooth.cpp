#include <cmath>

#include "quant/transform.h"

namespace svdlab {
namespace {

struct Exponents {
  double alpha = 0, beta = 0;
};

// Largest magnitudes per input channel, over all groups that must share the vector.
struct Spans {
  Tensor input, weight;  // [K] fp64
};

// The largest magnitude of what is quantized: behind GELU an unsigned scheme quantizes the shifted input.
Tensor input_span(const GroupProblem& p) {
  Tensor span = p.stats->absmax.clone();
  if (!p.scheme.activations || !p.scheme.activations->shift_after_gelu) return span;
  for (const Segment& s : p.segments) {
    if (s.producer != Producer::kGelu) continue;
    const Tensor low = p.stats->min.slice(0, s.begin, s.end) + kGeluShift;
    const Tensor high = p.stats->max.slice(0, s.begin, s.end) + kGeluShift;
    span.slice(0, s.begin, s.end).copy_(at::maximum(low.abs(), high.abs()));
  }
  return span;
}

Spans spans_of(std::span<const GroupProblem> problems) {
  Spans s;
  const auto widen = [](Tensor& span, const Tensor& values) {
    span = span.defined() ? at::maximum(span, values.to(at::kDouble)) : values.to(at::kDouble);
  };
  for (const GroupProblem& p : problems) {
    widen(s.input, input_span(p));
    for (const Tensor& w : p.weights) widen(s.weight, w.abs().amax(0));
  }
  return s;
}

Tensor smoothing_vector(const Spans& spans, Exponents e) {
  const Tensor raw = spans.input.pow(e.alpha).div(spans.weight.pow(e.beta));
  const Tensor s = raw.to(at::kFloat).to(at::kBFloat16).to(at::kFloat);
  // A channel that is always zero in input or weight has no range to balance.
  return at::where(s.isfinite().logical_and(s > 0), s, at::ones_like(s));
}

// SVDQuant's candidates (DeepCompressor, strategy GridSearch with beta = -2), "no smoothing" apart:
// (i/G, 0) and (i/G, 1 - i/G).
std::vector<Exponents> grid_candidates(int64_t grid) {
  std::vector<Exponents> out;
  for (int64_t i = 1; i < grid; ++i) out.push_back({static_cast<double>(i) / grid, 0.0});
  for (int64_t i = 1; i < grid; ++i)
    out.push_back({static_cast<double>(i) / grid, 1.0 - static_cast<double>(i) / grid});
  return out;
}

// SmoothQuant's migration of outliers from the input to the weight, s_k = amax_x(k)^alpha / amax_w(k)^beta
// (arXiv 2211.10438), with given exponents.
class FixedSmoothing final : public Transform {
 public:
  explicit FixedSmoothing(Exponents exponents) : exponents_(exponents) {}
  Tensor fit(std::span<const GroupProblem> problems, const SmoothScore&) const override {
    return smoothing_vector(spans_of(problems), exponents_);
  }
  bool needs_stats() const override { return true; }

 private:
  Exponents exponents_;
};

// The exponents with the smallest output error.
class SearchedSmoothing final : public Transform {
 public:
  explicit SearchedSmoothing(int64_t grid) : candidates_(grid_candidates(grid)) {}
  Tensor fit(std::span<const GroupProblem> problems, const SmoothScore& score) const override {
    const Spans spans = spans_of(problems);
    Tensor best;
    double smallest = score(best);
    for (const Exponents& e : candidates_) {
      const Tensor s = smoothing_vector(spans, e);
      const double error = score(s);
      if (error < smallest || !std::isfinite(smallest)) smallest = error, best = s;
    }
    SVDLAB_REQUIRE(std::isfinite(smallest), Errc::kInput, "smooth: no candidate for group ",
                   problems.front().name,
                   " has a finite output error; check its weights and calibration inputs");
    return best;
  }
  bool needs_stats() const override { return true; }

 private:
  std::vector<Exponents> candidates_;
};

}  // namespace

std::unique_ptr<Transform> make_smooth(Fields& options) {
  if (!options.has("grid"))
    return std::make_unique<FixedSmoothing>(
        Exponents{options.number("alpha", 0.5), options.number("beta", 0.5)});
  const int64_t grid = options.integer("grid", 20);
  SVDLAB_REQUIRE(grid >= 2 && grid <= 1000, Errc::kConfig, options.where(), ": `", options.path_of("grid"),
                 "` must be 2 to 1000, not ", grid);
  return std::make_unique<SearchedSmoothing>(grid);
}

}  // namespace svdlab
