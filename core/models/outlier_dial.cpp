#include "core/models/outlier_dial.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace svdlab {
namespace {

// Rows of `linear` that make one vector: [begin, begin + size).
struct Rows {
  int linear = -1;
  int64_t begin = 0;
};

/// Follows an input back through ops that keep channels apart, to what makes it.
int origin(const Graph& graph, int node) {
  const auto passes = [](Op op) { return op == Op::kTokensLike || op == Op::kHeads; };
  while (passes(graph.nodes[node].op)) node = graph.nodes[node].inputs[0];
  return node;
}

/// The slice of a modulation linear that node `node` is.
Rows slice_of(const Graph& graph, int node) {
  const Node& slice = graph.nodes[node];
  SVDLAB_REQUIRE(slice.op == Op::kSlice && graph.nodes[slice.inputs[0]].op == Op::kLinear, Errc::kUnexpected,
                 "outlier dial: node ", slice.id, " is not a slice of a modulation linear");
  return {graph.nodes[slice.inputs[0]].linear, static_cast<int64_t>(slice.attribute("begin"))};
}

/// The value projections an attention node reads.
std::vector<Rows> value_projections(const Graph& graph, int attention) {
  std::vector<Rows> out;
  std::vector<int> open = {graph.nodes[attention].inputs[2]};
  while (!open.empty()) {
    const int node = origin(graph, open.back());
    open.pop_back();
    const Node& n = graph.nodes[node];
    if (n.op == Op::kConcat) {
      open.insert(open.end(), n.inputs.begin(), n.inputs.end());
      continue;
    }
    SVDLAB_REQUIRE(n.op == Op::kLinear, Errc::kUnexpected, "outlier dial: ", graph.nodes[attention].id,
                   " takes its values from ", n.id, ", which is no linear");
    out.push_back({n.linear, 0});
  }
  return out;
}

Tensor chosen_channels(const OutlierDial& dial, const std::string& name, int64_t channels) {
  SVDLAB_REQUIRE(dial.channels <= channels, Errc::kConfig, "outliers.channels is ", dial.channels,
                 ", but the input of ", name, " has ", channels);
  const Rng rng(dial.seed, "outliers/" + name);
  std::vector<int64_t> all(channels);
  std::iota(all.begin(), all.end(), int64_t{0});
  for (int64_t i = 0; i < dial.channels; ++i)
    std::swap(all[i], all[i + static_cast<int64_t>(rng.below(i, channels - i))]);
  return at::tensor(at::ArrayRef<int64_t>(all.data(), dial.channels), at::kLong);
}

/// Edits fp32 copies of the tensors it touches.
class Dial {
 public:
  Dial(Graph& graph, const OutlierDial& dial)
      : graph_(graph), dial_(dial), copied_(graph.linears.size(), false) {}

  void run() {
    std::map<int, std::vector<std::pair<int, int64_t>>> attention_consumers;
    for (const LayerGroup& group : graph_.groups) {
      const int input = graph_.nodes[graph_.node_of_linear(group.members.front())].inputs[0];
      const int made_by = origin(graph_, input);
      if (graph_.nodes[made_by].op == Op::kModulate) scale_modulated(group, made_by);
      for (const auto& [node, column] : attention_parts(made_by))
        for (const int member : group.members) attention_consumers[node].emplace_back(member, column);
    }
    for (const auto& [attention, consumers] : attention_consumers) scale_values(attention, consumers);
  }

 private:
  /// (attention node, first column) of every part of `node` that an attention makes.
  std::vector<std::pair<int, int64_t>> attention_parts(int node) const {
    const Node& n = graph_.nodes[node];
    if (n.op == Op::kAttention) return {{node, 0}};
    std::vector<std::pair<int, int64_t>> out;
    // Only a concatenation of features can put attention beside something else, and there it comes first.
    if (n.op == Op::kConcat && n.attribute("axis") == -1 &&
        graph_.nodes[origin(graph_, n.inputs[0])].op == Op::kAttention)
      out.emplace_back(origin(graph_, n.inputs[0]), 0);
    return out;
  }

  LinearSpec& editable(int linear) {
    LinearSpec& spec = graph_.linears[linear];
    if (!copied_[linear]) {
      spec.weight = spec.weight.to(at::kFloat, false, true).contiguous();
      if (spec.bias.defined()) spec.bias = spec.bias.to(at::kFloat, false, true).contiguous();
      copied_[linear] = true;
    }
    return spec;
  }

  void multiply_rows(const Rows& rows, const Tensor& channels, double factor) {
    LinearSpec& spec = editable(rows.linear);
    const Tensor index = channels + rows.begin;
    spec.weight.index_copy_(0, index, spec.weight.index_select(0, index) * factor);
    if (spec.bias.defined()) spec.bias.index_copy_(0, index, spec.bias.index_select(0, index) * factor);
  }

  // scale -> c (1 + scale) - 1.
  void multiply_scale(const Rows& rows, const Tensor& channels) {
    LinearSpec& spec = editable(rows.linear);
    const double c = dial_.strength;
    const Tensor index = channels + rows.begin;
    spec.weight.index_copy_(0, index, spec.weight.index_select(0, index) * c);
    if (!spec.bias.defined()) spec.bias = at::zeros({spec.out_features()}, at::kFloat);
    spec.bias.index_copy_(
        0, index, ((spec.bias.index_select(0, index).to(at::kDouble) + 1.0) * c - 1.0).to(at::kFloat));
  }

  void divide_columns(int linear, const Tensor& channels, int64_t begin) {
    LinearSpec& spec = editable(linear);
    const Tensor index = channels + begin;
    spec.weight.index_copy_(1, index, spec.weight.index_select(1, index) / dial_.strength);
  }

  void scale_modulated(const LayerGroup& group, int modulate) {
    const Node& node = graph_.nodes[modulate];
    const Rows scale = slice_of(graph_, node.inputs[1]), shift = slice_of(graph_, node.inputs[2]);
    const Tensor channels =
        chosen_channels(dial_, group.name, graph_.linears[group.members.front()].in_features());
    multiply_scale(scale, channels);
    multiply_rows(shift, channels, dial_.strength);
    for (const int member : group.members) divide_columns(member, channels, 0);
  }

  void scale_values(int attention, const std::vector<std::pair<int, int64_t>>& consumers) {
    const std::vector<Rows> values = value_projections(graph_, attention);
    const Tensor channels = chosen_channels(dial_, graph_.nodes[attention].id,
                                            graph_.linears[values.front().linear].out_features());
    for (const Rows& rows : values) multiply_rows(rows, channels, dial_.strength);
    for (const auto& [linear, column] : consumers) divide_columns(linear, channels, column);
  }

  Graph& graph_;
  const OutlierDial& dial_;
  std::vector<bool> copied_;
};

}  // namespace

std::string OutlierDial::tag() const {
  if (!on()) return "";
  return concat("outliers-", channels, "x", strength, seed == 0 ? "" : concat("-seed", seed));
}

Value OutlierDial::to_value() const {
  Value v = Value::map();
  v.at_or_add("channels") = Value::integer(channels);
  v.at_or_add("strength") = Value::number(strength);
  v.at_or_add("seed") = Value::integer(static_cast<int64_t>(seed));
  return v;
}

OutlierDial parse_outlier_dial(const Value& value, const std::string& path) {
  Fields f(value, path);
  OutlierDial dial;
  dial.channels = f.integer("channels", 0);
  dial.strength = f.number("strength", 1);
  const int64_t seed = f.integer("seed", 0);
  f.finish();
  SVDLAB_REQUIRE(dial.channels >= 0 && seed >= 0, Errc::kConfig, value.where, ": `", path,
                 "` must not have negative numbers: channels ", dial.channels, ", seed ", seed);
  int exponent = 0;
  SVDLAB_REQUIRE(dial.strength >= 1 && dial.strength <= 65536 && std::frexp(dial.strength, &exponent) == 0.5,
                 Errc::kConfig, value.where, ": `", path,
                 ".strength` must be a power of two in [1, 65536], not ", dial.strength,
                 "; nearest: ", std::exp2(std::round(std::log2(std::max(1.0, dial.strength)))));
  dial.seed = static_cast<uint64_t>(seed);
  return dial;
}

void apply_outlier_dial(Model& model, const OutlierDial& dial) {
  if (dial.on()) Dial(model.graph, dial).run();
}

}  // namespace svdlab
