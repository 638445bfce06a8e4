#include "lowrank/scorer.h"

#include <cstdio>

#include "core/runtime/fake_quantize.h"

namespace svdlab {

TokenSample token_sample(const GroupProblem& problem, const ActivationQuantizer& activations,
                         const Tensor& tokens, const OnlineTransform& online) {
  const Tensor transformed = online.apply_linear(tokens);
  if (!problem.scheme.activations) return {transformed, transformed};
  const ActivationFit fit = activations.fit(problem, online);
  const Tensor quantized = fake_quantize(tokens, online, fit.scheme, problem.segments, fit.ranges);
  const Tensor constant = online.constant(tokens.size(1));
  return {transformed, constant.defined() ? quantized - constant : quantized};
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

std::unique_ptr<Scorer> make_scorer(const GroupProblem& problem, const ActivationQuantizer& activations,
                                    Scoring scoring, int64_t tokens) {
  int64_t rows = 0;
  for (const Tensor& w : problem.weights) rows += w.size(0);
  const int64_t kept = std::min(tokens, problem.stats->reservoir.size(0));
  const bool gram =
      scoring == Scoring::kAuto
          ? cheaper_scorer(kept, problem.channels(), rows, problem.scheme.activations.has_value()).use_gram()
          : scoring == Scoring::kGram;
  return gram ? make_gram_scorer(problem, activations, tokens)
              : make_token_scorer(problem, activations, tokens);
}

}  // namespace svdlab
