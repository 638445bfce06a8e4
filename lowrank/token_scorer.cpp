#include "lowrank/input_moments.h"
#include "lowrank/scorer.h"
#include "quant/row_blocks.h"

namespace svdlab {
namespace {

constexpr int64_t kTokensAtOnce = 256;

class TokenCandidate final : public CandidateScorer {
 public:
  TokenCandidate(const GroupProblem& problem, const ActivationQuantizer& activations,
                 const std::vector<Tensor>& outputs, const Tensor& tokens, const OnlineTransform& online,
                 int threads)
      : problem_(problem),
        outputs_(outputs),
        online_(online),
        sample_(token_sample(problem, activations, tokens, online)),
        threads_(threads) {}

  double error(size_t branch, const Tensor& low_bit, const LowRankFactors& factors) const override {
    const Tensor latent = factors.up.defined() ? at::matmul(sample_.smoothed, factors.down.t()) : Tensor();
    const Tensor by_token = at::empty({sample_.smoothed.size(0)}, sample_.smoothed.options());
    for_each_block(by_token.size(0), kTokensAtOnce, threads_, [&](int64_t begin, int64_t end) {
      Tensor difference = at::addmm(outputs_[branch].slice(0, begin, end),
                                    sample_.quantized.slice(0, begin, end), low_bit.t(), 1, -1);
      if (latent.defined()) difference.addmm_(latent.slice(0, begin, end), factors.up.t(), 1, -1);
      by_token.slice(0, begin, end).copy_(difference.square_().sum(1));
    });
    return by_token.sum(at::kDouble).item<double>();
  }

  InputMoments moments(const Tensor& down) const override {
    return input_moments(*problem_.stats, online_, sample_, down);
  }

 private:
  const GroupProblem& problem_;
  const std::vector<Tensor>& outputs_;
  OnlineTransform online_;
  TokenSample sample_;
  int threads_;
};

class TokenScorer final : public Scorer {
 public:
  TokenScorer(const GroupProblem& problem, const ActivationQuantizer& activations, int64_t tokens)
      : problem_(problem),
        activations_(activations),
        tokens_(problem.stats->reservoir.slice(0, 0, tokens).contiguous()) {
    for (const std::vector<int>& branch : problem.branches) {
      std::vector<Tensor> weights;
      for (const int member : branch) weights.push_back(problem.weights[member]);
      outputs_.push_back(at::matmul(tokens_, at::cat(weights).t()));
    }
  }
  std::unique_ptr<CandidateScorer> candidate(const OnlineTransform& online, int threads) const override {
    return std::make_unique<TokenCandidate>(problem_, activations_, outputs_, tokens_, online, threads);
  }

 private:
  const GroupProblem& problem_;
  const ActivationQuantizer& activations_;
  Tensor tokens_;                // [T, K]
  std::vector<Tensor> outputs_;  // one for each branch partition: [T, sum of out_i]
};

}  // namespace

std::unique_ptr<Scorer> make_token_scorer(const GroupProblem& problem, const ActivationQuantizer& activations,
                                          int64_t tokens) {
  return std::make_unique<TokenScorer>(problem, activations, tokens);
}

}  // namespace svdlab
