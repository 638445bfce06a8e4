#include "experiments/study/layer_tables.h"

#include <cmath>
#include <set>

#include "eval/sqnr.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

constexpr int64_t kSingularValues = 64;

Table& named(std::vector<Table>& tables, const std::string& name) {
  return const_cast<Table&>(*find_table(tables, name));
}

void layer_row(const std::string& cell, const Graph& graph, const CompressionLog& log,
               const CompressedLinear& linear, const LayerError& error, Table& t) {
  const LinearSpec& spec = graph.linears[graph.linear_index(log.linear)];
  const PairSums total = error.total();
  texts(t, "cell").push_back(cell);
  texts(t, "layer").push_back(log.linear);
  texts(t, "block").push_back(spec.block);
  texts(t, "role").push_back(to_string(spec.role));
  texts(t, "group").push_back(log.group);
  texts(t, "scheme").push_back(log.scheme);
  texts(t, "method").push_back(log.method);
  integers(t, "out_features").push_back(spec.out_features());
  integers(t, "in_features").push_back(spec.in_features());
  integers(t, "rank").push_back(log.rank);
  numbers(t, "bits_per_weight").push_back(linear.bits_per_weight());
  numbers(t, "weight_sqnr_db")
      .push_back(linear.ranges.empty() ? sqnr_db(spec.weight.to(at::kFloat), linear.effective_weight())
                                       : std::nan(""));
  numbers(t, "output_sqnr_db").push_back(sqnr_db_of(total));
  numbers(t, "output_rel_error").push_back(relative_error_of(total));
  numbers(t, "output_cosine").push_back(cosine_of(total));
  numbers(t, "residual_energy").push_back(log.residual_energy);
  numbers(t, "optimal_energy").push_back(log.optimal_energy);
  numbers(t, "total_energy").push_back(log.total_energy);
  integers(t, "rounds").push_back(static_cast<int64_t>(log.round_errors.size()));
  integers(t, "best_round").push_back(log.best_round);
  numbers(t, "seconds").push_back(log.seconds);
}

void step_rows(const std::string& cell, const LayerError& error, Table& t) {
  for (size_t step = 0; step < error.steps.size(); ++step) {
    texts(t, "cell").push_back(cell);
    texts(t, "layer").push_back(error.linear);
    integers(t, "step").push_back(static_cast<int64_t>(step));
    numbers(t, "output_sqnr_db").push_back(sqnr_db_of(error.steps[step]));
  }
}

void round_rows(const std::string& cell, const CompressionLog& log, Table& t) {
  for (size_t round = 0; round < log.round_errors.size(); ++round) {
    texts(t, "cell").push_back(cell);
    texts(t, "layer").push_back(log.linear);
    integers(t, "round").push_back(static_cast<int64_t>(round));
    numbers(t, "error").push_back(log.round_errors[round]);
  }
}

void search_rows(const std::string& cell, const CompressionLog& log, Table& t) {
  for (const SearchStep& step : log.search) {
    texts(t, "cell").push_back(cell);
    texts(t, "group").push_back(log.group);
    numbers(t, "alpha").push_back(step.alpha);
    numbers(t, "beta").push_back(step.beta);
    numbers(t, "error").push_back(step.error);
    integers(t, "chosen").push_back(step.chosen);
  }
}

}  // namespace

double fill_layer_tables(const std::string& cell, const Graph& graph, const Compression& compression,
                         const std::vector<LayerError>& errors, std::vector<Table>& tables) {
  std::map<std::string, const LayerError*> by_name;
  for (const LayerError& e : errors) by_name[e.linear] = &e;
  double sum = 0;
  for (const CompressionLog& log : compression.log) {
    const LayerError& error = *by_name.at(log.linear);
    layer_row(cell, graph, log, compression.model.linears.at(log.linear), error, named(tables, "/layers"));
    step_rows(cell, error, named(tables, "/layer_steps"));
    round_rows(cell, log, named(tables, "/rounds"));
    search_rows(cell, log, named(tables, "/search"));
    sum += sqnr_db_of(error.total());
  }
  return compression.log.empty() ? std::nan("") : sum / static_cast<double>(compression.log.size());
}

void fill_spectra(const std::string& cell, const Graph& graph, const CompressedModel& model, Table& t) {
  std::set<Role> seen;
  for (const LinearSpec& spec : graph.linears) {
    const auto found = model.linears.find(spec.name);
    if (found == model.linears.end() || !found->second.smooth.defined() || !seen.insert(spec.role).second)
      continue;
    const Tensor weight = spec.weight.to(at::kDouble);
    const Tensor before = at::linalg_svdvals(weight).contiguous();
    const Tensor after = at::linalg_svdvals(weight * found->second.smooth.to(at::kDouble)).contiguous();
    for (int64_t i = 0; i < std::min(kSingularValues, before.size(0)); ++i) {
      texts(t, "cell").push_back(cell);
      texts(t, "layer").push_back(spec.name);
      integers(t, "index").push_back(i);
      numbers(t, "before").push_back(before.data_ptr<double>()[i]);
      numbers(t, "after").push_back(after.data_ptr<double>()[i]);
    }
  }
}

void fill_outliers(const std::string& cell, const Graph& graph, const StatsMap& stats, Table& t) {
  for (const LayerGroup& group : graph.groups) {
    const auto found = stats.find(group.name);
    if (found == stats.end()) continue;
    const Tensor absmax = found->second.absmax.to(at::kDouble);
    texts(t, "cell").push_back(cell);
    texts(t, "group").push_back(group.name);
    integers(t, "channels").push_back(absmax.size(0));
    numbers(t, "max_over_median_absmax")
        .push_back(absmax.max().item<double>() / absmax.median().item<double>());
  }
}

}  // namespace svdlab
