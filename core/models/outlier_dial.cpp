#include "core/models/outlier_dial.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/models/value_paths.h"
#include "kernels/hadamard.h"

namespace svdlab {
namespace {

// Rows of `linear` that make one vector: [begin, begin + size).
struct Rows {
  int linear = -1;
  int64_t begin = 0;
};

/// The slice of a modulation linear that node `node` is.
Rows slice_of(const Graph& graph, int node) {
  const Node& slice = graph.nodes[node];
  SVDLAB_REQUIRE(slice.op == Op::kSlice && graph.nodes[slice.inputs[0]].op == Op::kLinear, Errc::kUnexpected,
                 "outlier dial: node ", slice.id, " is not a slice of a modulation linear");
  return {graph.nodes[slice.inputs[0]].linear, static_cast<int64_t>(slice.attribute("begin"))};
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
    if (dial_.scales()) {
      for (const LayerGroup& group : graph_.groups) {
        const int input = graph_.nodes[graph_.node_of_linear(group.members.front())].inputs[0];
        const int made_by = origin(graph_, input);
        if (graph_.nodes[made_by].op == Op::kModulate) scale_modulated(group, made_by);
      }
    }
    for (const ValuePath& path : value_paths(graph_)) {
      if (dial_.scales()) scale_values(path);
      if (dial_.rotate_values) rotate_values(path);
    }
  }

 private:
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

  void scale_values(const ValuePath& path) {
    const Tensor channels = chosen_channels(dial_, graph_.nodes[path.attention].id,
                                            graph_.linears[path.projections.front()].out_features());
    for (const int linear : path.projections) multiply_rows({linear, 0}, channels, dial_.strength);
    for (const ValuePath::Consumer& c : path.consumers) divide_columns(c.linear, channels, c.column);
  }

  void rotate_values(const ValuePath& path) {
    const int64_t channels = graph_.linears[path.projections.front()].out_features();
    for (const int linear : path.projections) {
      LinearSpec& spec = editable(linear);
      spec.weight = rotated(spec.weight.t(), path.heads).t().contiguous();
      if (spec.bias.defined()) spec.bias = rotated(spec.bias.unsqueeze(0), path.heads).squeeze(0);
    }
    for (const ValuePath::Consumer& c : path.consumers) {
      Tensor part = editable(c.linear).weight.slice(1, c.column, c.column + channels);
      part.copy_(rotated(part, path.heads));
    }
  }

  // x [.., heads * d] fp32 times the orthonormal Hadamard matrix of order d, head by head, through fp64.
  static Tensor rotated(const Tensor& x, int64_t heads) {
    const Tensor out = x.to(at::kDouble).clone(at::MemoryFormat::Contiguous);
    hadamard_rows(MatrixView<double>(out.data_ptr<double>(), out.size(0), out.size(1)), out.size(1) / heads,
                  HadamardSide::kForward);
    return out.to(at::kFloat);
  }

  Graph& graph_;
  const OutlierDial& dial_;
  std::vector<bool> copied_;
};

}  // namespace

std::string OutlierDial::tag() const {
  if (!on()) return "";
  const std::string scaled =
      scales() ? concat("outliers-", channels, "x", strength, seed == 0 ? "" : concat("-seed", seed)) : "";
  return concat(scaled, scales() && rotate_values ? "-" : "", rotate_values ? "rotated-values" : "");
}

Value OutlierDial::to_value() const {
  Value v = Value::map();
  v.at_or_add("channels") = Value::integer(channels);
  v.at_or_add("strength") = Value::number(strength);
  v.at_or_add("seed") = Value::integer(static_cast<int64_t>(seed));
  // The default goes without saying: what was cached before there was a choice keeps its key.
  if (rotate_values) v.at_or_add("rotate_values") = Value::boolean(true);
  return v;
}

OutlierDial parse_outlier_dial(const Value& value, const std::string& path) {
  Fields f(value, path);
  OutlierDial dial;
  dial.channels = f.integer("channels", 0);
  dial.strength = f.number("strength", 1);
  const int64_t seed = f.integer("seed", 0);
  dial.rotate_values = f.boolean("rotate_values", false);
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
