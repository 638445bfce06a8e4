#include "lowrank/scorer.h"

#include <cstdio>

#include "core/runtime/fake_quantize.h"

namespace svdlab {

TokenSample token_sample(const GroupProblem& problem, const Tensor& tokens, const Tensor& smooth) {
  const auto& activations = problem.scheme.activations;
  const Tensor smoothed = smooth.defined() ? tokens / smooth : tokens;
  return {smoothed, activations ? fake_quantize(tokens, smooth, *activations, problem.segments) : smoothed};
}

std::string ScorerChoice::text() const {
  char buffer[96];
  std::snprintf(buffer, sizeof buffer, "%s: %.3g GMAC a candidate, %s %.3g", use_gram() ? "gram" : "tokens",
                (use_gram() ? gram_cost : token_cost) * 1e-9, use_gram() ? "tokens" : "gram",
                (use_gram() ? token_cost : gram_cost) * 1e-9);
  return buffer;
}

ScorerChoice cheaper_scorer(int64_t tokens, int64_t channels, int64_t out_features,
                            bool quantized_activations) {
  const double t = static_cast<double>(tokens), k = static_cast<double>(channels),
               n = static_cast<double>(out_features);
  return {.token_cost = t * k * n, .gram_cost = 2 * k * k * (quantized_activations ? 3 * n + 2 * t : n)};
}

std::unique_ptr<Scorer> make_scorer(const GroupProblem& problem, Scoring scoring, int64_t tokens) {
  int64_t rows = 0;
  for (const Tensor& w : problem.weights) rows += w.size(0);
  const int64_t kept = std::min(tokens, problem.stats->reservoir.size(0));
  const bool gram =
      scoring == Scoring::kAuto
          ? cheaper_scorer(kept, problem.channels(), rows, problem.scheme.activations.has_value()).use_gram()
          : scoring == Scoring::kGram;
  return gram ? make_gram_scorer(problem, tokens) : make_token_scorer(problem, tokens);
}

}  // namespace svdlab
