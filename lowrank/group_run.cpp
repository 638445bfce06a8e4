#include "lowrank/group_run.h"

#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"
#include "lowrank/fisher_facts.h"

namespace svdlab {
namespace {

Tensor smoothed_gram(const Tensor& gram, const Tensor& smooth) {
  if (!smooth.defined()) return gram;
  const Tensor inverse = smooth.to(at::kDouble).reciprocal();
  return gram * inverse.unsqueeze(0) * inverse.unsqueeze(1);
}

std::string method_text(const Recipe& r) {
  return r.transform + "+" + r.driver + (r.objective == "plain" ? "" : ":" + r.objective) + "+" + r.weights;
}

}  // namespace

GroupRun::GroupRun(const GroupProblem& problem, const Recipe& recipe, const Stages& stages,
                   const CompressionOptions& options)
    : problem_(problem), recipe_(recipe), stages_(stages), options_(options) {
  // Where nothing is compared the error is only logged: as measured on tokens, unless asked for.
  const bool compares = stages.transform->needs_score() || stages.driver->needs_score();
  const Scoring scoring = recipe.score == Scoring::kAuto && !compares ? Scoring::kTokens : recipe.score;
  if (problem.stats) scorer_ = make_scorer(problem, scoring, options.score_tokens);
}

double GroupRun::search_error(const Tensor& smooth, const WeightQuantizer& weights, Through through,
                              std::vector<Tensor>& starts) const {
  const auto scorer = scorer_->candidate(smooth, /*threads=*/1);
  starts.resize(problem_.branches.size());
  double sum = 0;
  for (size_t b = 0; b < problem_.branches.size(); ++b) {
    const WeightedSolver solver = weighted_solver(b, smooth);
    DriverProblem candidate = driver_problem(b, smooth, solver);
    candidate.quantizer = &weights;
    candidate.max_rounds = 1;
    candidate.start = starts[b];
    candidate.moments = [&](const Tensor& down) { return scorer->moments(down); };
    if (through == Through::kQuantizers) {
      sum +=
          scorer->error(b, dequantize_members(quantize_members(candidate, stacked_weights(candidate))), {});
      continue;
    }
    const DriverResult result = stages_.driver->drive(candidate);
    starts[b] = result.factors.basis;
    sum += scorer->error(b, dequantize_members(result.low_bit), result.factors);
  }
  return sum;
}

void GroupRun::compress(const Tensor& smooth, GroupCompression& out) const {
  const size_t first = out.linears.size();
  out.linears.resize(first + problem_.weights.size());
  out.log.resize(out.linears.size());
  const auto scorer = scorer_ ? scorer_->candidate(smooth, options_.group_threads) : nullptr;
  WeightContext context;
  context.threads = options_.group_threads;
  if (stages_.weights->needs_gram()) {
    context.gram = problem_.stats->gram;
    context.smooth = smooth;
    stages_.weights->prepare(context);
  }
  for (size_t b = 0; b < problem_.branches.size(); ++b) {
    const WeightedSolver solver = weighted_solver(b, smooth);
    DriverProblem final_problem = driver_problem(b, smooth, solver);
    final_problem.context = context;
    if (scorer) {
      final_problem.score = [&, b](const std::vector<QuantizedTensor>& low_bit,
                                   const LowRankFactors& factors) {
        return scorer->error(b, dequantize_members(low_bit), factors);
      };
      final_problem.moments = [&](const Tensor& down) { return scorer->moments(down); };
    }
    const DriverResult result = stages_.driver->drive(final_problem);
    store(b, smooth, stacked_weights(final_problem), result, &out.linears[first], &out.log[first]);
  }
}

WeightedSolver GroupRun::weighted_solver(size_t branch, const Tensor& smooth) const {
  if (recipe_.rank == 0) return {*stages_.solver, {}};
  const LowRankObjective& objective = *stages_.objective;
  ObjectiveFacts facts;
  if (objective.needs_gram()) facts.gram = smoothed_gram(problem_.stats->gram, smooth);
  if (objective.needs_fisher()) add_fisher(problem_, problem_.branches[branch], smooth, facts);
  return {*stages_.solver, objective.weights(facts)};
}

DriverProblem GroupRun::driver_problem(size_t branch, const Tensor& smooth,
                                       const LowRankSolver& solver) const {
  DriverProblem p;
  for (const int member : problem_.branches[branch])
    p.weights.push_back(smooth.defined() ? problem_.weights[member] * smooth : problem_.weights[member]);
  p.scheme = *problem_.scheme.weights;
  p.quantizer = stages_.weights.get();
  p.solver = &solver;
  p.rank = recipe_.rank;
  return p;
}

void GroupRun::store(size_t b, const Tensor& smooth, const Tensor& weights, const DriverResult& result,
                     CompressedLinear* linears, CompressionLog* logs) const {
  const LowRankFactors& factors = result.factors;
  const bool has_branch = factors.up.defined();
  const double total = energy(weights);
  const double optimal = has_branch ? optimal_residual_energy(weights, recipe_.rank) : total;
  const double residual = residual_energy(weights, factors);
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

}  // namespace svdlab
