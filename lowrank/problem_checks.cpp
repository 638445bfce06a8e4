#include "lowrank/problem_checks.h"

#include <algorithm>

#include "core/base/error.h"
#include "lowrank/fisher_facts.h"

namespace svdlab {
namespace {

std::string divisors(int64_t n) {
  std::string out;
  for (int64_t d = 1; d <= std::min<int64_t>(n, 256); ++d)
    if (n % d == 0) out += concat(out.empty() ? "" : ", ", d);
  return out;
}

void check_groups(const GroupProblem& p, const TensorScheme& scheme) {
  if (scheme.grouping != Grouping::kGroup) return;
  for (const Segment& s : p.segments)
    SVDLAB_REQUIRE(scheme.group > 0 && s.size() % scheme.group == 0, Errc::kConfig, "group size ",
                   scheme.group, " does not divide K range [", s.begin, ",", s.end, ") of ",
                   p.linear_names.front(), "; divisors: ", divisors(s.size()));
}

void check_weight(const std::string& name, const Tensor& w) {
  const Tensor bad = w.isfinite().logical_not();
  const int64_t count = bad.sum().item<int64_t>();
  if (count == 0) return;
  const int64_t first = bad.flatten().to(at::kByte).argmax().item<int64_t>();
  throw Error(Errc::kInput, concat(name, ".weight(", first / w.size(1), ", ", first % w.size(1),
                                   ") = ", w.flatten()[first].item<float>(), " is the first of ", count,
                                   " values that are not finite; check the checkpoint"));
}

void check_rank(const GroupProblem& p, const std::vector<int>& branch, int64_t rank) {
  int64_t rows = 0;
  for (const int member : branch) rows += p.weights[member].size(0);
  SVDLAB_REQUIRE(rank <= std::min(rows, p.channels()), Errc::kConfig, "rank ", rank, " of ",
                 p.linear_names[branch.front()], " exceeds the smaller side of its ", rows, " x ",
                 p.channels(), " weights; use at most ", std::min(rows, p.channels()));
}

}  // namespace

std::string stage_that_needs_stats(const Recipe& r, const Stages& s) {
  if (s.transform->needs_stats()) return "transform " + r.transform;
  if (s.weights->needs_gram()) return "weights " + r.weights;
  if ((s.objective->needs_gram() || s.objective->needs_fisher()) && r.rank > 0)
    return "low_rank.objective " + r.objective;
  if (s.activations->needs_stats()) return "activations " + r.activations;
  if (s.branch->needs_stats()) return "branch " + r.branch;
  if (r.by_timestep) return "timesteps ranges";
  if (s.driver->needs_score() && r.rank > 0) return "driver " + r.driver;
  return "";
}

FisherDetail fisher_detail(const Recipe& r, const Stages& s) {
  const bool weighs = s.objective->needs_fisher() && r.rank > 0;
  return std::max(s.branch->needs_gradients(), weighs ? FisherDetail::kMeans : FisherDetail::kNone);
}

std::string stage_that_needs_gradients(const Recipe& r, const Stages& s) {
  if (s.branch->needs_gradients() != FisherDetail::kNone) return "branch " + r.branch;
  return s.objective->needs_fisher() && r.rank > 0 ? "low_rank.objective " + r.objective : "";
}

std::string gradients_option(FisherDetail detail, const std::string& group) {
  return detail == FisherDetail::kFull ? "--fisher-full " + group : "--fisher";
}

void check_problem(const GroupProblem& p, const Recipe& recipe, const Stages& stages) {
  check_groups(p, *p.scheme.weights);
  if (p.scheme.activations) check_groups(p, p.scheme.activations->tensor);
  for (size_t i = 0; i < p.weights.size(); ++i) check_weight(p.linear_names[i], p.weights[i]);
  for (const std::vector<int>& branch : p.branches) check_rank(p, branch, recipe.rank);
  const std::string needs = stage_that_needs_stats(recipe, stages);
  SVDLAB_REQUIRE(needs.empty() || p.stats, Errc::kConfig, "group ", p.name, ": ", needs,
                 " needs calibration statistics; calibrate the model or choose a stage without");
  if (p.stats) p.stats->require_finite(p.name);
  const FisherDetail detail = fisher_detail(recipe, stages);
  const std::string missing = linear_without_fisher(p, detail);
  SVDLAB_REQUIRE(missing.empty(), Errc::kConfig, "group ", p.name, ": ",
                 stage_that_needs_gradients(recipe, stages), " needs gradients of ", missing,
                 ", which its statistics lack; collect them with svdlab calibrate MODEL ",
                 gradients_option(detail, p.name));
}

}  // namespace svdlab
