#include "lowrank/fisher_facts.h"

#include "core/base/error.h"

namespace svdlab {

std::string linear_without_fisher(const GroupProblem& problem, FisherDetail detail) {
  if (detail == FisherDetail::kNone) return "";
  for (size_t i = 0; i < problem.weights.size(); ++i) {
    const WeightFisher* fisher = problem.fisher(i);
    const bool enough = fisher != nullptr && (detail == FisherDetail::kMeans || fisher->full.defined());
    if (!enough) return problem.linear_names[i];
  }
  return "";
}

void add_fisher(const GroupProblem& problem, const std::vector<int>& branch, const OnlineTransform& online,
                ObjectiveFacts& facts) {
  std::vector<Tensor> rows;
  Tensor cols = at::zeros({problem.channels()}, at::kDouble);
  int64_t count = 0;
  for (const int member : branch) {
    const WeightFisher* fisher = problem.fisher(member);
    SVDLAB_REQUIRE(fisher, Errc::kUnexpected, "no gradient statistics of ", problem.linear_names[member]);
    const int64_t out = problem.weights[member].size(0);
    rows.push_back(fisher->row_mean());
    cols += fisher->col_mean() * static_cast<double>(out);
    count += out;
  }
  facts.fisher_rows = at::cat(rows);
  facts.fisher_cols = cols / static_cast<double>(count);
  if (!online.then.empty())
    facts.fisher_cols = online.apply_linear(at::diag(facts.fisher_cols.sqrt())).square().sum(0);
  else if (online.smooth.defined())
    facts.fisher_cols = facts.fisher_cols / online.smooth.to(at::kDouble).square();
}

}  // namespace svdlab
