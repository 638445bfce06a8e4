#pragma once
#include <memory>
#include <string>

#include "lowrank/solver.h"
#include "quant/activation_quantizer.h"
#include "quant/group_problem.h"

namespace svdlab {

/// Sums over tokens of products with z = down x_hat, the latent of a low-rank branch; x_hat is the
/// transformed input and x_q what the low-bit branch multiplies instead. fp64, for TokenSample::tokens
/// tokens.
struct InputMoments {
  Tensor input;      ///< [K, rank] sum of x_hat z^T
  Tensor quantized;  ///< [K, rank] sum of x_q z^T
  Tensor latent;     ///< [rank, rank] sum of z z^T
};

/// Tokens of a group's input under one transform.
struct TokenSample {
  // Both without the transform's constant, whose effect is taken out of the bias.
  Tensor smoothed;   ///< [T, K] fp32, what the low-rank branch multiplies
  Tensor quantized;  ///< [T, K] fp32, what the low-bit branch multiplies: fake-quantized, or `smoothed`
};
/// @param tokens  [T, K] fp32.
TokenSample token_sample(const GroupProblem& problem, const ActivationQuantizer& activations,
                         const Tensor& tokens, const OnlineTransform& online);

/// Output errors of one group under one transform; serves every round of a candidate.
class CandidateScorer {
 public:
  virtual ~CandidateScorer() = default;
  /// ||Y16 - Yq||_F^2 over the linears of branch partition `branch`, activations quantized, for as many
  /// tokens as the scorer keeps.
  /// @param low_bit  their decoded weights, stacked.  @param factors  undefined tensors: no low-rank branch.
  virtual double error(size_t branch, const Tensor& low_bit, const LowRankFactors& factors) const = 0;
  /// `input` and `latent` from the Gram matrix of all calibration tokens, scaled to those of the scorer.
  virtual InputMoments moments(const Tensor& down) const = 0;
};

/// Measures candidates for one group against its 16-bit output without running the network. Immutable.
class Scorer {
 public:
  virtual ~Scorer() = default;
  /// @param threads  scheduling only.
  virtual std::unique_ptr<CandidateScorer> candidate(const OnlineTransform& online, int threads) const = 0;
};

/// Replays the first `tokens` tokens of the reservoir through the group's weights.
std::unique_ptr<Scorer> make_token_scorer(const GroupProblem& problem, const ActivationQuantizer& activations,
                                          int64_t tokens);

/// From second moments. With D = W - L - Q, e = x_q - x_hat,
///   sum of |D x_hat - Q e|^2 = tr(D G D^T) - 2 tr(D C Q^T) + tr(Q E Q^T),
/// G the Gram matrix of all calibration tokens (scaled to T tokens), C = sum of x_hat e^T and E = sum of
/// e e^T over the first T tokens of the reservoir; without activation quantization the first term is all.
std::unique_ptr<Scorer> make_gram_scorer(const GroupProblem& problem, const ActivationQuantizer& activations,
                                         int64_t tokens);

/// Which scorer is cheaper for a shape, in fp32 multiply-adds of one candidate.
struct ScorerChoice {
  double token_cost = 0,  ///< T K N
      gram_cost = 0;      ///< 2 K^2 N, with quantized activations 2 (3 K^2 N + 2 T K^2): fp64 counts twice
  bool use_gram() const { return gram_cost < token_cost; }
  /// "tokens: 29.0 GMAC a candidate, gram 87.0"
  std::string text() const;
};
ScorerChoice cheaper_scorer(int64_t tokens, int64_t channels, int64_t out_features,
                            bool quantized_activations);

/// How candidates are scored; `score` in a recipe.
enum class Scoring { kAuto, kTokens, kGram };
/// @param problem, activations  must outlive the result; stats must hold tokens.
std::unique_ptr<Scorer> make_scorer(const GroupProblem& problem, const ActivationQuantizer& activations,
                                    Scoring scoring, int64_t tokens);

}  // namespace svdlab
