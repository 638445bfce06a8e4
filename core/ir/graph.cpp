#include "core/ir/graph.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {

std::string to_string(Op op) {
  switch (op) {
    case Op::kInput:
      return "input";
    case Op::kLinear:
      return "linear";
    case Op::kLayerNorm:
      return "layer_norm";
    case Op::kRmsNorm:
      return "rms_norm";
    case Op::kModulate:
      return "modulate";
    case Op::kGatedAdd:
      return "gated_add";
    case Op::kGelu:
      return "gelu";
    case Op::kSilu:
      return "silu";
    case Op::kAttention:
      return "attention";
    case Op::kRope:
      return "rope";
    case Op::kRopeTable:
      return "rope_table";
    case Op::kAdd:
      return "add";
    case Op::kConcat:
      return "concat";
    case Op::kSlice:
      return "slice";
    case Op::kTokensLike:
      return "tokens_like";
    case Op::kHeads:
      return "heads";
    case Op::kTimestepEmbedding:
      return "timestep_embedding";
  }
  return "?";
}

int Graph::linear_index(const std::string& name) const {
  std::vector<std::string> names;
  for (size_t i = 0; i < linears.size(); ++i) {
    if (linears[i].name == name) return static_cast<int>(i);
    names.push_back(linears[i].name);
  }
  throw Error(Errc::kConfig,
              concat("no linear \"", name, "\" in the model; nearest: \"", nearest(name, names), "\""));
}

const LayerGroup& Graph::group_of(int linear) const {
  for (const LayerGroup& group : groups)
    for (const int member : group.members)
      if (member == linear) return group;
  throw Error(Errc::kUnexpected, concat("linear ", linear, " is in no group"));
}

int Graph::node_of_linear(int linear) const {
  for (size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].linear == linear) return static_cast<int>(i);
  throw Error(Errc::kUnexpected, concat("linear ", linear, " has no node"));
}

void Graph::for_each_tensor(const std::function<void(const std::string&, Tensor&)>& visit) {
  for (const Node& node : nodes) {
    if (node.linear >= 0) {
      LinearSpec& linear = linears[node.linear];
      visit(linear.name + ".weight", linear.weight);
      if (linear.bias.defined()) visit(linear.name + ".bias", linear.bias);
    }
    if (!node.parameter.empty()) visit(node.parameter, parameters.at(node.parameter));
  }
}

int64_t Graph::parameter_count() const {
  int64_t count = 0;
  const_cast<Graph*>(this)->for_each_tensor([&](const std::string&, Tensor& t) { count += t.numel(); });
  return count;
}

namespace {

void require(bool ok, const std::string& message) {
  if (!ok) throw Error(Errc::kUnexpected, "graph: " + message);
}

void validate_groups(const Graph& graph) {
  std::vector<int> seen(graph.linears.size(), 0);
  for (const LayerGroup& group : graph.groups) {
    std::multiset<int> members(group.members.begin(), group.members.end()), branched;
    for (const auto& branch : group.branches) branched.insert(branch.begin(), branch.end());
    require(members == branched, "branches of group " + group.name + " are not a partition of its members");
    for (const int member : group.members) ++seen.at(member);
    const int64_t channels = graph.linears[group.members.front()].in_features();
    for (const int member : group.members)
      require(graph.linears[member].in_features() == channels,
              "members of group " + group.name + " differ in width");
    if (group.smooth_tied_to.empty()) continue;
    const auto tied = std::find_if(graph.groups.begin(), graph.groups.end(),
                                   [&](const LayerGroup& g) { return g.name == group.smooth_tied_to; });
    require(tied != graph.groups.end() && tied->smooth_tied_to.empty() &&
                graph.linears[tied->members.front()].in_features() == channels,
            "group " + group.name + " is tied to " + group.smooth_tied_to +
                ", which is no free group of its width");
  }
  for (size_t i = 0; i < seen.size(); ++i)
    require(seen[i] == 1, concat(graph.linears[i].name, " is in ", seen[i], " groups"));
}

void validate_segments(const LinearSpec& linear) {
  int64_t end = 0;
  for (const Segment& s : linear.segments) {
    require(s.begin == end && s.end > s.begin, "segments of " + linear.name + " leave a hole");
    end = s.end;
  }
  require(end == linear.in_features(), "segments of " + linear.name + " do not cover its input");
}

}  // namespace

void validate(const Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const int input : graph.nodes[i].inputs)
      require(input >= 0 && input < static_cast<int>(i), "inputs of " + graph.nodes[i].id + " come after it");
    require((graph.nodes[i].op == Op::kLinear) == (graph.nodes[i].linear >= 0),
            graph.nodes[i].id + " and its linear disagree");
  }
  for (const LinearSpec& linear : graph.linears) validate_segments(linear);
  validate_groups(graph);
  require(graph.output >= 0 && graph.output < static_cast<int>(graph.nodes.size()), "no output node");
}

}  // namespace svdlab
