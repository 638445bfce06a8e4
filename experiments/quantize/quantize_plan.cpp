#include "experiments/quantize/quantize_plan.h"

#include "core/base/names.h"
#include "core/formats/nibbles.h"
#include "core/io/compressed_file.h"
#include "experiments/report/table_views.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

// Names, shapes and places of one linear, in its file's header and in the index.
constexpr int64_t kDescription = 4096;

bool is_compressed(const PlanRule& rule) { return rule.scheme.weights && !rule.recipe.keeps_16_bit(); }

int64_t low_bit_bytes(const LinearSpec& linear, const TensorScheme& scheme) {
  const int64_t rows = linear.out_features(), cols = linear.in_features();
  const int64_t row = scheme.code_bits() == 8 ? cols : packed_bytes(cols);
  const int64_t scales = scheme.grouping == Grouping::kTensor ? 1 : rows * scheme.groups_of(cols);
  return rows * row + scales * static_cast<int64_t>(scheme.scale_bits()) / 8 + 4;
}

// Codes, scales and the rows of `up`; what linears share is counted by share_bytes.
int64_t linear_bytes(const LinearSpec& linear, const PlanRule& rule) {
  const int64_t up = 2 * rule.recipe.rank * linear.out_features();
  return low_bit_bytes(linear, *rule.scheme.weights) + up;
}

int64_t share_bytes(const Graph& graph, const CompressionJob::Share& share, const Recipe& recipe) {
  const int64_t channels = graph.linears[share.linears.front()].in_features();
  const auto factors = static_cast<int64_t>(share.group->branches.size());
  return 2 * channels * (recipe.rank * factors + (recipe.transform == "none" ? 0 : 1));
}

std::string formats_text(const Scheme& scheme) {
  if (!scheme.weights) return "16 bit";
  const auto text = [](const TensorScheme& s) {
    const std::string span = s.grouping == Grouping::kGroup ? concat("g", s.group)
                             : s.grouping == Grouping::kRow ? "row"
                                                            : "tensor";
    return concat(to_string(s.format), " ", span, " ", to_string(s.scale));
  };
  return concat(text(*scheme.weights), " | ",
                scheme.activations ? text(scheme.activations->tensor) : "16-bit inputs");
}

std::string stages_text(const Recipe& r) {
  return concat(r.transform, ", ", r.driver, r.rank > 0 ? concat(" rank ", r.rank) : "", ", ", r.weights);
}

}  // namespace

QuantizePlan make_quantize_plan(const Graph& graph, const QuantizeConfig& config) {
  QuantizePlan out;
  out.rules = plan_for(graph, config.cell);
  out.rule_of = assign_rules(graph, out.rules);
  out.jobs = compression_jobs(graph, out.rules, out.rule_of);
  return out;
}

Unmatched find_unmatched(const Graph& graph, const QuantizeConfig& config) {
  Unmatched out;
  const auto& rules = config.cell.rules;
  std::vector<bool> matches(rules.size(), false);
  for (const LinearSpec& linear : graph.linears) {
    bool any = false;
    for (size_t i = 0; i < rules.size(); ++i)
      if (glob_match(rules[i].rule.match, linear.name)) any = matches[i] = true;
    if (!any) out.linears.push_back(linear.name);
  }
  for (size_t i = 0; i < rules.size(); ++i)
    if (!matches[i] && !rules[i].optional) out.patterns.push_back(rules[i].rule.match);
  return out;
}

std::string job_file(const Graph& graph, const CompressionJob& job) {
  return compressed_file_name(graph.linears[job.shares.front().linears.front()].name);
}

double job_cost(const Graph& graph, const CompressionJob& job) {
  double cost = 0;
  for (const CompressionJob::Share& share : job.shares) {
    const double k = static_cast<double>(graph.linears[share.linears.front()].in_features());
    for (const int l : share.linears) cost += k * k * static_cast<double>(graph.linears[l].out_features());
    cost += k * k * k;
  }
  return cost;
}

int64_t job_disk(const Graph& graph, const CompressionJob& job) {
  int64_t bytes = 0;
  for (const CompressionJob::Share& share : job.shares) {
    bytes += share_bytes(graph, share, job.rule->recipe);
    for (const int l : share.linears) {
      const LinearSpec& linear = graph.linears[l];
      bytes += linear_bytes(linear, *job.rule) + kDescription;
      if (linear.bias.defined()) bytes += 4 * linear.out_features();
    }
  }
  return bytes;
}

std::string rules_text(const Graph& graph, const QuantizePlan& plan) {
  Table t{"rules",
          {text_column("pattern"), text_column("scheme"), text_column("weights | inputs"),
           text_column("transform, driver, weights"), integer_column("layers"), integer_column("weights"),
           number_column("bits/weight")}};
  for (size_t r = 0; r < plan.rules.size(); ++r) {
    const PlanRule& rule = plan.rules[r];
    int64_t layers = 0, weights = 0, bytes = 0;
    for (size_t l = 0; l < graph.linears.size(); ++l) {
      if (plan.rule_of[l] != static_cast<int>(r)) continue;
      ++layers;
      weights += graph.linears[l].weight.numel();
      bytes +=
          is_compressed(rule) ? linear_bytes(graph.linears[l], rule) : 2 * graph.linears[l].weight.numel();
    }
    for (const CompressionJob& job : plan.jobs)
      for (const CompressionJob::Share& share : job.shares)
        if (job.rule == &rule) bytes += share_bytes(graph, share, rule.recipe);
    texts(t, "pattern").push_back(rule.match);
    texts(t, "scheme").push_back(rule.scheme.name);
    texts(t, "weights | inputs").push_back(is_compressed(rule) ? formats_text(rule.scheme) : "16 bit");
    texts(t, "transform, driver, weights").push_back(is_compressed(rule) ? stages_text(rule.recipe) : "");
    integers(t, "layers").push_back(layers);
    integers(t, "weights").push_back(weights);
    numbers(t, "bits/weight").push_back(8.0 * static_cast<double>(bytes) / static_cast<double>(weights));
  }
  return report::to_terminal(t);
}

}  // namespace svdlab
