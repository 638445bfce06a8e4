#include "lowrank/compress_group.h"

#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"
#include "lowrank/output_scorer.h"
#include "lowrank/problem_checks.h"
#include "lowrank/weighted.h"

namespace svdlab {
namespace {

// Candidates are compared with this in place of the recipe's weight quantizer, as DeepCompressor does, at a
// fraction of the cost.
constexpr const char* kSearchWeights = "rtn";

Tensor smoothed_gram(const Tensor& gram, const Tensor& smooth) {
  if (!smooth.defined()) return gram;
  const Tensor inverse = smooth.to(at::kDouble).reciprocal();
  return gram * inverse.unsqueeze(0) * inverse.unsqueeze(1);
}

std::string method_text(const Recipe& r) {
  return r.transform + "+" + r.driver + (r.objective == "plain" ? "" : ":" + r.objective) + "+" + r.weights;
}

// One group and the recipe's stages, ready to try smoothing vectors.
class GroupRun {
 public:
  GroupRun(const GroupProblem& problem, const Recipe& recipe, const Stages& stages, int64_t score_tokens)
      : problem_(problem), recipe_(recipe), stages_(stages) {
    if (problem.stats) scorer_ = std::make_unique<OutputScorer>(problem, score_tokens);
  }

  double search_error(const Tensor& smooth, const WeightQuantizer& weights) const {
    const OutputScorer::Input input = scorer_->input(smooth);
    const WeightedSolver solver = weighted_solver(smooth);
    double sum = 0;
    for (size_t b = 0; b < problem_.branches.size(); ++b) {
      DriverProblem candidate = driver_problem(b, smooth, solver);
      candidate.quantizer = &weights;
      candidate.max_rounds = 1;
      const DriverResult result = stages_.driver->drive(candidate);
      sum += scorer_->error(b, input, dequantize_members(result.low_bit), result.factors);
    }
    return sum;
  }

  void compress(const Tensor& smooth, GroupCompression& out) const {
    const size_t first = out.linears.size();
    out.linears.resize(first + problem_.weights.size());
    out.log.resize(out.linears.size());
    const WeightedSolver solver = weighted_solver(smooth);
    const OutputScorer::Input input = scorer_ ? scorer_->input(smooth) : OutputScorer::Input();
    for (size_t b = 0; b < problem_.branches.size(); ++b) {
      DriverProblem final_problem = driver_problem(b, smooth, solver);
      if (stages_.weights->needs_gram())
        final_problem.context.gram = smoothed_gram(problem_.stats->gram, smooth);
      if (scorer_)
        final_problem.score = [&, b](const std::vector<QuantizedTensor>& low_bit,
                                     const LowRankFactors& factors) {
          return scorer_->error(b, input, dequantize_members(low_bit), factors);
        };
      const DriverResult result = stages_.driver->drive(final_problem);
      store(b, smooth, stacked_weights(final_problem), result, &out.linears[first], &out.log[first]);
    }
  }

 private:
  // The recipe's solver in the norm of its objective, for the input under one smoothing vector.
  WeightedSolver weighted_solver(const Tensor& smooth) const {
    const bool weighted = recipe_.rank > 0 && stages_.objective->needs_gram();
    const Tensor gram = weighted ? smoothed_gram(problem_.stats->gram, smooth) : Tensor();
    return {*stages_.solver, {.cols = weighted ? stages_.objective->column_weight(gram) : Tensor()}};
  }

  DriverProblem driver_problem(size_t branch, const Tensor& smooth, const LowRankSolver& solver) const {
    DriverProblem p;
    for (const int member : problem_.branches[branch])
      p.weights.push_back(smooth.defined() ? problem_.weights[member] * smooth : problem_.weights[member]);
    p.scheme = *problem_.scheme.weights;
    p.quantizer = stages_.weights.get();
    p.solver = &solver;
    p.rank = recipe_.rank;
    return p;
  }

  void store(size_t b, const Tensor& smooth, const Tensor& weights, const DriverResult& result,
             CompressedLinear* linears, CompressionLog* logs) const {
    const LowRankFactors& factors = result.factors;
    const bool has_branch = factors.up.defined();
    const Tensor rest = has_branch ? at::addmm(weights, factors.up, factors.down, 1, -1) : weights;
    const double total = weights.to(at::kDouble).square_().sum().item<double>();
    const double optimal = has_branch ? optimal_residual_energy(weights, recipe_.rank) : total;
    const double residual = rest.to(at::kDouble).square_().sum().item<double>();
    const std::vector<int>& members = problem_.branches[b];
    int64_t row = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      const QuantizedTensor& low_bit = result.low_bit[i];
      CompressedLinear& linear = linears[members[i]];
      linear.name = problem_.linear_names[members[i]];
      linear.smooth = smooth;
      linear.smooth_sharers = static_cast<int>(problem_.weights.size());
      linear.branches.push_back(LowBitBranch{low_bit, problem_.scheme.activations, problem_.segments});
      if (has_branch)
        linear.branches.push_back(LowRankBranch{factors.down,
                                                factors.up.slice(0, row, row + low_bit.rows()).clone(),
                                                static_cast<int>(members.size())});
      row += low_bit.rows();
      logs[members[i]] = {.linear = linear.name,
                          .group = problem_.name,
                          .scheme = problem_.scheme.name,
                          .method = method_text(recipe_),
                          .rank = has_branch ? recipe_.rank : 0,
                          .residual_energy = residual,
                          .optimal_energy = optimal,
                          .total_energy = total,
                          .round_errors = result.errors,
                          .best_round = result.best_round};
    }
  }

  const GroupProblem& problem_;
  const Recipe& recipe_;
  const Stages& stages_;
  std::unique_ptr<OutputScorer> scorer_;
};

}  // namespace

GroupCompression compress_group(std::span<const GroupProblem> problems, const Recipe& recipe,
                                const CompressionOptions& options) {
  const Stages stages = make_stages(recipe, "");
  std::vector<GroupRun> runs;
  for (const GroupProblem& p : problems) {
    check_problem(p, recipe, stages);
    runs.emplace_back(p, recipe, stages, options.score_tokens);
  }
  const Value no_options = Value::map();
  Fields fields(no_options, kSearchWeights);
  const auto search_weights = weight_quantizers().at(kSearchWeights)(fields);
  const Tensor smooth = stages.transform->fit(problems, [&](const Tensor& candidate) {
    double sum = 0;
    for (const GroupRun& run : runs) sum += run.search_error(candidate, *search_weights);
    return sum;
  });
  GroupCompression out;
  for (const GroupRun& run : runs) run.compress(smooth, out);
  return out;
}

}  // namespace svdlab
