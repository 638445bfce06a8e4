#include "core/models/value_paths.h"

#include <map>

#include "core/base/error.h"

namespace svdlab {
namespace {

// The number of heads on the way back from `node`, else 0.
int64_t heads_behind(const Graph& graph, int node) {
  for (;; node = graph.nodes[node].inputs[0]) {
    const Node& n = graph.nodes[node];
    if (n.op == Op::kHeads) return static_cast<int64_t>(n.attribute("heads"));
    if (n.op != Op::kTokensLike && n.op != Op::kConcat) return 0;
  }
}

void add_projections(const Graph& graph, ValuePath& path) {
  const int values = graph.nodes[path.attention].inputs[2];
  path.heads = heads_behind(graph, values);
  SVDLAB_REQUIRE(path.heads > 0, Errc::kUnexpected, graph.nodes[path.attention].id,
                 " takes values that are not cut into heads");
  std::vector<int> open = {values};
  while (!open.empty()) {
    const Node& n = graph.nodes[origin(graph, open.back())];
    open.pop_back();
    if (n.op == Op::kConcat) {
      open.insert(open.end(), n.inputs.begin(), n.inputs.end());
      continue;
    }
    SVDLAB_REQUIRE(n.op == Op::kLinear, Errc::kUnexpected, graph.nodes[path.attention].id,
                   " takes its values from ", n.id, ", which is no linear");
    path.projections.push_back(n.linear);
  }
}

// The attention that makes the first channels of `node`, or -1: only a concatenation of features can put
// attention beside something else, and there it comes first.
int attention_in(const Graph& graph, int node) {
  if (graph.nodes[node].op == Op::kAttention) return node;
  const Node& n = graph.nodes[node];
  if (n.op != Op::kConcat || n.attribute("axis") != -1) return -1;
  const int first = origin(graph, n.inputs[0]);
  return graph.nodes[first].op == Op::kAttention ? first : -1;
}

}  // namespace

int origin(const Graph& graph, int node) {
  const auto passes = [](Op op) { return op == Op::kTokensLike || op == Op::kHeads; };
  while (passes(graph.nodes[node].op)) node = graph.nodes[node].inputs[0];
  return node;
}

std::vector<ValuePath> value_paths(const Graph& graph) {
  std::vector<ValuePath> out;
  std::map<int, size_t> known;  // by attention
  for (const LayerGroup& group : graph.groups) {
    const int input = graph.nodes[graph.node_of_linear(group.members.front())].inputs[0];
    const int attention = attention_in(graph, origin(graph, input));
    if (attention < 0) continue;
    const auto [place, is_new] = known.try_emplace(attention, out.size());
    if (is_new) {
      out.push_back({.attention = attention, .heads = 0, .projections = {}, .consumers = {}});
      add_projections(graph, out.back());
    }
    for (const int member : group.members) out[place->second].consumers.push_back({member, 0});
  }
  return out;
}

}  // namespace svdlab
