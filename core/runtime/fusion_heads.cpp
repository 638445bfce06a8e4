#include "core/runtime/fusion_heads.h"

#include <algorithm>

#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

/// What follows one projection, node by node; -1 where it is absent.
struct Chain {
  int heads = -1, norm = -1, concat = -1, rope = -1;
  TokenPart part = TokenPart::kAll;
  int end() const { return rope >= 0 ? rope : concat >= 0 ? concat : heads; }
};

int user_of(const Graph& graph, const NodeUses& uses, int node, Op op) {
  const int user = node < 0 ? -1 : uses.only_user(node);
  return user >= 0 && graph.nodes[user].op == op ? user : -1;
}

void follow_concat(const Graph& graph, const NodeUses& uses, int from, Chain& chain) {
  const int user = user_of(graph, uses, from, Op::kConcat);
  if (user < 0 || graph.nodes[user].attribute("axis") != 1 || graph.nodes[user].inputs.size() != 2) return;
  chain.concat = user;
  chain.part = graph.nodes[user].inputs[0] == from ? TokenPart::kFirst : TokenPart::kLast;
}

/// Absent when the graph looks different.
std::optional<Chain> chain_of(const Graph& graph, const NodeUses& uses, int linear, bool turned) {
  Chain out;
  out.heads = user_of(graph, uses, linear, Op::kHeads);
  int last = out.heads;
  if (turned) last = out.norm = user_of(graph, uses, last, Op::kRmsNorm);
  if (last < 0) return {};
  follow_concat(graph, uses, last, out);
  if (out.concat >= 0) last = out.concat;
  if (!turned) return out;
  out.rope = user_of(graph, uses, last, Op::kRope);
  if (out.rope < 0 || graph.nodes[out.rope].inputs[0] != last) return {};
  return out;
}

struct Chains {
  Chain query, key, value;
};

std::optional<Chains> chains_of(const Graph& graph, const NodeUses& uses, const std::vector<int>& qkv) {
  constexpr Role kRoles[] = {Role::kQuery, Role::kKey, Role::kValue};
  for (size_t i = 0; i < qkv.size(); ++i)
    if (graph.linears[graph.nodes[qkv[i]].linear].role != kRoles[i]) return {};
  const auto q = chain_of(graph, uses, qkv[0], true), k = chain_of(graph, uses, qkv[1], true),
             v = chain_of(graph, uses, qkv[2], false);
  if (!q || !k || !v || q->part != k->part || q->part != v->part) return {};
  return Chains{*q, *k, *v};
}

}  // namespace

NodeUses::NodeUses(const Graph& graph) : uses_(graph.nodes.size()) {
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const int input : graph.nodes[i].inputs)
      if (uses_[input].empty() || uses_[input].back() != static_cast<int>(i))
        uses_[input].push_back(static_cast<int>(i));
}

int NodeUses::only_user(int node) const { return uses_[node].size() == 1 ? uses_[node][0] : -1; }

std::optional<FusedNodeHeads> find_heads(const Graph& graph, const NodeUses& uses,
                                         const std::vector<int>& qkv) {
  const std::optional<Chains> c = chains_of(graph, uses, qkv);
  if (!c) return {};
  const Node &query_norm = graph.nodes[c->query.norm], &key_norm = graph.nodes[c->key.norm];
  const double heads = graph.nodes[c->query.heads].attribute("heads");
  const int64_t columns = graph.linears[graph.nodes[qkv[0]].linear].out_features();
  FusedNodeHeads out{.query_norm = c->query.norm,
                     .key_norm = c->key.norm,
                     .table = graph.nodes[c->query.rope].inputs[1],
                     .heads = static_cast<int64_t>(heads),
                     .head_dim = columns / static_cast<int64_t>(heads),
                     .part = c->query.part,
                     .query = c->query.end(),
                     .key = c->key.end(),
                     .value = c->value.end()};
  for (const int node : qkv)
    if (graph.linears[graph.nodes[node].linear].out_features() != columns) return {};
  const bool alike = heads == graph.nodes[c->key.heads].attribute("heads") &&
                     heads == graph.nodes[c->value.heads].attribute("heads") &&
                     query_norm.attribute("eps") == key_norm.attribute("eps") &&
                     graph.nodes[c->key.rope].inputs[1] == out.table;
  const bool has_form = out.head_dim % 16 == 0 && out.head_dim >= 16 && out.head_dim <= 128;
  return alike && has_form ? std::optional(out) : std::nullopt;
}

std::vector<int> covered_by_heads(const Graph& graph, const NodeUses& uses, const std::vector<int>& qkv) {
  const Chains c = chains_of(graph, uses, qkv).value();
  std::vector<int> out;
  for (const Chain& chain : {c.query, c.key, c.value})
    for (const int node : {chain.heads, chain.norm, chain.concat, chain.rope})
      if (node >= 0) out.push_back(node);
  return out;
}

}  // namespace svdlab
