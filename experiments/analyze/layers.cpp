#include "core/runtime/compressed_linear.h"
#include "core/runtime/fake_quantize.h"
#include "core/runtime/precision.h"
#include "eval/sqnr.h"
#include "eval/zero_kernel.h"
#include "experiments/analyze/analysis.h"
#include "experiments/analyze/analysis_table.h"
#include "experiments/analyze/moments.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

struct InputFacts {
  double absmax, rms, kurtosis, max_over_median;
};

InputFacts input_facts(const ActivationStats& stats) {
  const double values = static_cast<double>(stats.tokens) * static_cast<double>(stats.channels());
  return {stats.absmax.max().item<double>(), std::sqrt(stats.gram.trace().item<double>() / values),
          kurtosis(stats.reservoir), max_over_median(stats.absmax)};
}

struct LayerQuality {
  double bits_per_weight = 0, weight_sqnr_db = 0, output_sqnr_db = 0;
  double weight_zero_share = 0, input_zero_share = 0;
};

/// Of the decoded inputs. Where codes are shifted no value is 0, so those columns do not count.
double input_zero_share(const CompressedLinear& linear, const Tensor& tokens) {
  const LowBitBranch* low = linear.low_bit();
  ZeroKernel kernel;
  if (low == nullptr || !low->activations) return kernel.share();
  const OnlineTransform online = linear.online();
  const Tensor rounded = fake_quantize(tokens, online, *low->activations, low->segments, low->ranges);
  const bool shifts = low->activations->shift_after_gelu && !online.mixes_channels();
  for (const Segment& s : low->segments)
    if (!shifts || s.producer != Producer::kGelu) kernel.add(rounded.slice(1, s.begin, s.end));
  return kernel.share();
}

double weight_zero_share(const CompressedLinear& linear) {
  ZeroKernel kernel;
  if (linear.low_bit() != nullptr) kernel.add(dequantize(linear.low_bit()->weight));
  return kernel.share();
}

/// Outputs on the calibration's tokens, rounded to the 16-bit type as the next layer sees them.
LayerQuality quality(const LinearSpec& spec, const CompressedLinear& linear, const Tensor& tokens) {
  const Tensor weight = spec.weight.to(at::kFloat);
  Tensor expected = tokens.matmul(weight.t());
  if (spec.bias.defined()) expected = expected + spec.bias.to(at::kFloat);
  const Tensor actual = run_compressed(linear, tokens, Execution::kDequantized);
  return {linear.bits_per_weight(), sqnr_db(weight, linear.effective_weight()),
          sqnr_db(round_to(expected, Precision::kBf16), round_to(actual, Precision::kBf16)),
          weight_zero_share(linear), input_zero_share(linear, tokens)};
}

}  // namespace

std::vector<Table> layer_facts(const std::string& name, const CellContext& c) {
  const Graph& graph = c.reference.model().graph;
  Table t = analysis_table("/layer_facts");
  for (const LayerGroup& group : graph.groups) {
    const InputFacts input = input_facts(c.stats.at(group.name));
    for (const int member : group.members) {
      const LinearSpec& spec = graph.linears[member];
      const Tensor weight = spec.weight.to(at::kFloat);
      texts(t, "cell").push_back(name);
      texts(t, "layer").push_back(spec.name);
      texts(t, "block").push_back(spec.block);
      texts(t, "role").push_back(to_string(spec.role));
      texts(t, "group").push_back(group.name);
      integers(t, "out_features").push_back(spec.out_features());
      integers(t, "in_features").push_back(spec.in_features());
      numbers(t, "weight_absmax").push_back(weight.abs().max().item<double>());
      numbers(t, "weight_rms").push_back(root_mean_square(weight));
      numbers(t, "weight_kurtosis").push_back(kurtosis(weight));
      numbers(t, "weight_max_over_median").push_back(max_over_median(column_absmax(weight)));
      numbers(t, "input_absmax").push_back(input.absmax);
      numbers(t, "input_rms").push_back(input.rms);
      numbers(t, "input_kurtosis").push_back(input.kurtosis);
      numbers(t, "input_max_over_median").push_back(input.max_over_median);
    }
  }
  return {t};
}

std::vector<Table> layer_errors_by_scheme(const Cell& cell, const CellContext& c, const AnalysisOptions&) {
  const Graph& graph = c.reference.model().graph;
  const Compression compression = compress_cell(cell, c);
  std::vector<LayerQuality> qualities(compression.log.size());
  for_each_item(0, static_cast<int64_t>(qualities.size()), c.schedule, [&](int64_t i) {
    const CompressionLog& log = compression.log[i];
    qualities[i] = quality(graph.linears[graph.linear_index(log.linear)],
                           compression.model.linears.at(log.linear), c.stats.at(log.group).reservoir);
  });
  Table t = analysis_table("/layer_errors");
  for (size_t i = 0; i < qualities.size(); ++i) {
    texts(t, "cell").push_back(cell.name);
    texts(t, "layer").push_back(compression.log[i].linear);
    texts(t, "scheme").push_back(compression.log[i].scheme);
    texts(t, "method").push_back(compression.log[i].method);
    numbers(t, "bits_per_weight").push_back(qualities[i].bits_per_weight);
    numbers(t, "weight_sqnr_db").push_back(qualities[i].weight_sqnr_db);
    numbers(t, "output_sqnr_db").push_back(qualities[i].output_sqnr_db);
    numbers(t, "weight_zero_share").push_back(qualities[i].weight_zero_share);
    numbers(t, "input_zero_share").push_back(qualities[i].input_zero_share);
  }
  return {t};
}

}  // namespace svdlab
