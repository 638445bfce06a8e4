#include "quant/smoothing_exponents.h"

#include "quant/smoothing.h"

namespace svdlab {
namespace {

Tensor input_span(const GroupProblem& p, bool mixed) {
  Tensor span = p.stats->absmax.clone();
  for (const Segment& s : p.segments) {
    if (mixed || !is_shifted(p, s)) continue;
    const Tensor low = p.stats->min.slice(0, s.begin, s.end) + kGeluShift;
    const Tensor high = p.stats->max.slice(0, s.begin, s.end) + kGeluShift;
    span.slice(0, s.begin, s.end).copy_(at::maximum(low.abs(), high.abs()));
  }
  return span;
}

}  // namespace

std::vector<Exponents> read_exponents(Fields& options) {
  if (!options.has("grid")) return {{options.number("alpha", 0.5), options.number("beta", 0.5)}};
  const int64_t grid = options.integer("grid", 20);
  SVDLAB_REQUIRE(grid >= 2 && grid <= 1000, Errc::kConfig, options.where(), ": `", options.path_of("grid"),
                 "` must be 2 to 1000, not ", grid);
  std::vector<Exponents> out(1);
  for (int64_t i = 1; i < grid; ++i) out.push_back({static_cast<double>(i) / grid, 0.0});
  for (int64_t i = 1; i < grid; ++i)
    out.push_back({static_cast<double>(i) / grid, 1.0 - static_cast<double>(i) / grid});
  return out;
}

Spans spans_of(std::span<const GroupProblem> problems, bool mixed) {
  Spans s;
  const auto widen = [](Tensor& span, const Tensor& values) {
    span = span.defined() ? at::maximum(span, values.to(at::kDouble)) : values.to(at::kDouble);
  };
  for (const GroupProblem& p : problems) {
    widen(s.input, input_span(p, mixed));
    for (const Tensor& w : p.weights) widen(s.weight, w.abs().amax(0));
  }
  return s;
}

Tensor smoothing_vector(const Spans& spans, Exponents e) {
  if (e.alpha == 0 && e.beta == 0) return {};
  return stored_smoothing(spans.input.pow(e.alpha).div(spans.weight.pow(e.beta)));
}

std::vector<Tensor> smoothing_vectors(const Spans& spans, const std::vector<Exponents>& exponents) {
  std::vector<Tensor> out;
  for (const Exponents& e : exponents) out.push_back(smoothing_vector(spans, e));
  if (out.size() == 1 && !out.front().defined())
    out.front() = at::ones(spans.input.sizes(), spans.input.options().dtype(at::kFloat));
  return out;
}

TransformFit best_of(std::span<const GroupProblem> problems, const TransformScore& score,
                     const std::vector<OnlineTransform>& candidates,
                     const std::vector<Exponents>& exponents) {
  if (candidates.size() == 1) return {candidates.front(), {}};
  std::vector<SearchStep> steps;
  for (const Exponents& e : exponents) steps.push_back({.alpha = e.alpha, .beta = e.beta});
  return best_smoothing(problems, score, Through::kRecipe, candidates, std::move(steps));
}

}  // namespace svdlab
