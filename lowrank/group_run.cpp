#include "lowrank/group_run.h"

#include "lowrank/driver_steps.h"
#include "lowrank/factors.h"
#include "lowrank/fisher_facts.h"

namespace svdlab {
namespace {

std::string method_text(const Recipe& r) {
  return r.transform + "+" + r.driver + (r.objective == "plain" ? "" : ":" + r.objective) + "+" + r.weights +
         (r.activations == "dynamic" ? "" : "+" + r.activations) + (r.branch == "none" ? "" : "+" + r.branch);
}

// What takes the transform's constant [K] out of the output again: [out], or undefined.
Tensor bias_of_constant(const CompressedLinear& linear, const Tensor& constant) {
  if (!constant.defined()) return {};
  Tensor response = at::mv(dequantize(linear.low_bit()->weight).to(at::kDouble), constant.to(at::kDouble));
  if (const LowRankBranch* low = linear.low_rank())
    response.add_(
        at::mv(low->up.to(at::kDouble), at::mv(low->down.to(at::kDouble), constant.to(at::kDouble))));
  return response.neg().to(at::kFloat);
}

}  // namespace

GroupRun::GroupRun(const GroupProblem& problem, const TakenOut& taken, const Recipe& recipe,
                   const Stages& stages, const CompressionOptions& options)
    : problem_(problem), taken_(taken), recipe_(recipe), stages_(stages), options_(options) {
  // Where nothing is compared the error is only logged: as measured on tokens, unless asked for.
  const bool compares = stages.transform->needs_score() || stages.driver->needs_score();
  const Scoring scoring = recipe.score == Scoring::kAuto && !compares ? Scoring::kTokens : recipe.score;
  SVDLAB_REQUIRE(problem.scheme.activations || recipe.activations == "dynamic", Errc::kConfig, "activations ",
                 recipe.activations, ": the scheme of ", problem.name,
                 " keeps activations in 16 bit; use a scheme with `activations:` or leave the stage out");
  if (problem.stats) scorer_ = make_scorer(problem, *stages.activations, scoring, options.score_tokens);
}

double GroupRun::search_error(const OnlineTransform& online, const WeightQuantizer& weights, Through through,
                              std::vector<Tensor>& starts) const {
  const auto scorer = scorer_->candidate(online, /*threads=*/1);
  starts.resize(problem_.branches.size());
  double sum = 0;
  for (size_t b = 0; b < problem_.branches.size(); ++b) {
    const WeightedSolver solver = weighted_solver(b, online);
    DriverProblem candidate = driver_problem(b, online, solver);
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

void GroupRun::compress(const OnlineTransform& online, GroupCompression& out) const {
  const size_t first = out.linears.size();
  out.linears.resize(first + problem_.weights.size());
  out.log.resize(out.linears.size());
  const auto scorer = scorer_ ? scorer_->candidate(online, options_.group_threads) : nullptr;
  WeightContext context;
  context.threads = options_.group_threads;
  if (stages_.weights->needs_gram()) {
    // The division is done piece by piece, without a second matrix; anything else needs one.
    context.gram = online.then.empty() ? problem_.stats->gram : online.gram(problem_.stats->gram);
    if (online.then.empty()) context.smooth = online.smooth;
    stages_.weights->prepare(context);
  }
  for (size_t b = 0; b < problem_.branches.size(); ++b) {
    const WeightedSolver solver = weighted_solver(b, online);
    DriverProblem final_problem = driver_problem(b, online, solver);
    final_problem.context = context;
    if (scorer) {
      final_problem.score = [&, b](const std::vector<QuantizedTensor>& low_bit,
                                   const LowRankFactors& factors) {
        return scorer->error(b, dequantize_members(low_bit), factors);
      };
      final_problem.moments = [&](const Tensor& down) { return scorer->moments(down); };
    }
    const DriverResult result = stages_.driver->drive(final_problem);
    store(b, online, stacked_weights(final_problem), result, &out.linears[first], &out.log[first]);
  }
}

WeightedSolver GroupRun::weighted_solver(size_t branch, const OnlineTransform& online) const {
  if (recipe_.rank == 0) return {*stages_.solver, {}};
  const LowRankObjective& objective = *stages_.objective;
  ObjectiveFacts facts;
  if (objective.needs_gram()) facts.gram = online.gram(problem_.stats->gram);
  if (objective.needs_fisher()) add_fisher(problem_, problem_.branches[branch], online, facts);
  return {*stages_.solver, objective.weights(facts)};
}

DriverProblem GroupRun::driver_problem(size_t branch, const OnlineTransform& online,
                                       const LowRankSolver& solver) const {
  DriverProblem p;
  for (const int member : problem_.branches[branch])
    p.weights.push_back(online.weight(problem_.weights[member]).contiguous());
  p.scheme = *problem_.scheme.weights;
  p.quantizer = stages_.weights.get();
  p.solver = &solver;
  p.rank = recipe_.rank;
  return p;
}

void GroupRun::store(size_t b, const OnlineTransform& online, const Tensor& weights,
                     const DriverResult& result, CompressedLinear* linears, CompressionLog* logs) const {
  const LowRankFactors& factors = result.factors;
  const bool has_branch = factors.up.defined();
  const double total = energy(weights);
  const double optimal = has_branch ? optimal_residual_energy(weights, recipe_.rank) : total;
  const double residual = residual_energy(weights, factors);
  const std::vector<int>& members = problem_.branches[b];
  ActivationFit input;
  if (problem_.scheme.activations) input = stages_.activations->fit(problem_, online);
  int64_t row = 0;
  for (size_t i = 0; i < members.size(); ++i) {
    const QuantizedTensor& low_bit = result.low_bit[i];
    CompressedLinear& linear = linears[members[i]];
    linear.name = problem_.linear_names[members[i]];
    linear.smooth = online.smooth;
    linear.then = online.then;
    linear.smooth_sharers = static_cast<int>(problem_.weights.size());
    linear.branches.push_back(LowBitBranch{low_bit, {}, problem_.segments});
    if (problem_.scheme.activations) {
      LowBitBranch& branch = std::get<LowBitBranch>(linear.branches.back());
      branch.activations = input.scheme;
      branch.ranges = input.ranges;
    }
    if (has_branch)
      linear.branches.push_back(LowRankBranch{factors.down,
                                              factors.up.slice(0, row, row + low_bit.rows()).clone(),
                                              static_cast<int>(members.size())});
    linear.bias = bias_of_constant(linear, online.constant(problem_.channels()));
    if (!taken_.branches.empty()) linear.branches.push_back(taken_.branches[members[i]]);
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
