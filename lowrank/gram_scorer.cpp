#include "lowrank/input_moments.h"
#include "lowrank/scorer.h"
#include "quant/row_blocks.h"

namespace svdlab {
namespace {

constexpr int64_t kRowsAtOnce = 512;

// Second moments of one candidate's input, in fp64: what D leaves of a large common direction may be a small
// difference of large terms.
struct Moments {
  Tensor input;  // G [K, K]
  Tensor cross;  // C [K, K], or undefined
  Tensor error;  // E [K, K], or undefined
};

double sum_of_products(const Tensor& a, const Tensor& b) { return (a * b).sum().item<double>(); }

class GramCandidate final : public CandidateScorer {
 public:
  GramCandidate(const GroupProblem& problem, const ActivationQuantizer& activations, const Tensor& tokens,
                const OnlineTransform& online, int threads)
      : problem_(problem),
        online_(online),
        sample_(token_sample(problem, activations, tokens, online)),
        threads_(threads) {
    const ActivationStats& stats = *problem.stats;
    moments_.input =
        online.gram(stats.gram * (static_cast<double>(tokens.size(0)) / static_cast<double>(stats.tokens)));
    if (!problem.scheme.activations) return;
    const Tensor e = (sample_.quantized - sample_.smoothed).to(at::kDouble);
    moments_.cross = sample_.smoothed.to(at::kDouble).t().matmul(e);
    moments_.error = e.t().matmul(e);
  }

  double error(size_t branch, const Tensor& low_bit, const LowRankFactors& factors) const override {
    std::vector<Tensor> weights;
    for (const int member : problem_.branches[branch]) weights.push_back(problem_.weights[member]);
    const Tensor stacked = weights.size() == 1 ? weights.front() : at::cat(weights);
    std::vector<double> sums((stacked.size(0) + kRowsAtOnce - 1) / kRowsAtOnce);
    for_each_block(stacked.size(0), kRowsAtOnce, threads_, [&](int64_t begin, int64_t end) {
      const Tensor q = low_bit.slice(0, begin, end).to(at::kDouble);
      Tensor d = stacked.slice(0, begin, end).to(at::kDouble);
      d = online_.weight(d) - q;
      if (factors.up.defined())
        d.addmm_(factors.up.slice(0, begin, end).to(at::kDouble), factors.down.to(at::kDouble), 1, -1);
      sums[begin / kRowsAtOnce] = row_errors(d, q);
    });
    double sum = 0;
    for (const double s : sums) sum += s;
    return std::max(sum, 0.0);  // G and E are of different tokens
  }

  InputMoments moments(const Tensor& down) const override {
    return input_moments(*problem_.stats, online_, sample_, down);
  }

 private:
  double row_errors(const Tensor& d, const Tensor& q) const {
    double sum = sum_of_products(d.matmul(moments_.input), d);
    if (moments_.error.defined())
      sum += sum_of_products(q.matmul(moments_.error), q) - 2 * sum_of_products(d.matmul(moments_.cross), q);
    return sum;
  }

  const GroupProblem& problem_;
  OnlineTransform online_;
  TokenSample sample_;
  Moments moments_;
  int threads_;
};

class GramScorer final : public Scorer {
 public:
  GramScorer(const GroupProblem& problem, const ActivationQuantizer& activations, int64_t tokens)
      : problem_(problem),
        activations_(activations),
        tokens_(problem.stats->reservoir.slice(0, 0, tokens).contiguous()) {}
  std::unique_ptr<CandidateScorer> candidate(const OnlineTransform& online, int threads) const override {
    return std::make_unique<GramCandidate>(problem_, activations_, tokens_, online, threads);
  }

 private:
  const GroupProblem& problem_;
  const ActivationQuantizer& activations_;
  Tensor tokens_;
};

}  // namespace

std::unique_ptr<Scorer> make_gram_scorer(const GroupProblem& problem, const ActivationQuantizer& activations,
                                         int64_t tokens) {
  return std::make_unique<GramScorer>(problem, activations, tokens);
}

}  // namespace svdlab
