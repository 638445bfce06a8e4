#include "quant/smoothing.h"

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
  for (const Segment& s : p.segments) {
    if (!is_shifted(p, s)) continue;
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
  return stored_smoothing(spans.input.pow(e.alpha).div(spans.weight.pow(e.beta)));
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
  TransformFit fit(std::span<const GroupProblem> problems, const SmoothScore&) const override {
    return {smoothing_vector(spans_of(problems), exponents_), {}};
  }
  bool needs_stats() const override { return true; }

 private:
  Exponents exponents_;
};

// The exponents with the smallest output error.
class SearchedSmoothing final : public Transform {
 public:
  explicit SearchedSmoothing(int64_t grid) : candidates_(grid_candidates(grid)) {}
  TransformFit fit(std::span<const GroupProblem> problems, const SmoothScore& score) const override {
    const Spans spans = spans_of(problems);
    std::vector<Tensor> candidates(1);  // no smoothing
    std::vector<SearchStep> steps(1);
    for (const Exponents& e : candidates_) {
      candidates.push_back(smoothing_vector(spans, e));
      steps.push_back({.alpha = e.alpha, .beta = e.beta});
    }
    return best_smoothing(problems, score, Through::kRecipe, candidates, std::move(steps));
  }
  bool needs_stats() const override { return true; }
  bool needs_score() const override { return true; }

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
