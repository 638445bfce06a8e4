#include "core/runtime/fusion_pass.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/base/error.h"
#include "core/runtime/fused_support.h"
#include "core/runtime/fusion_heads.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

using Members = std::vector<const CompressedLinear*>;

int role_order(Role role) {
  return role == Role::kQuery ? 0 : role == Role::kKey ? 1 : role == Role::kValue ? 2 : 3;
}

class Planner {
 public:
  Planner(const Graph& graph, const CompressedModel& model, int architecture)
      : graph_(graph), model_(model), architecture_(architecture), uses_(graph) {
    for (size_t i = 0; i < graph.nodes.size(); ++i)
      if (graph.nodes[i].linear >= 0) node_of_[graph.nodes[i].linear] = static_cast<int>(i);
  }

  FusionPlan plan() {
    for (const LayerGroup& group : graph_.groups) add_group(group);
    keep_matching_heads();
    for (FusedNode& node : out_.nodes) finish(node);
    std::sort(out_.nodes.begin(), out_.nodes.end(),
              [](const FusedNode& a, const FusedNode& b) { return a.at < b.at; });
    set_paths();
    return std::move(out_);
  }

 private:
  const CompressedLinear& compressed(int node) const {
    return model_.linears.at(graph_.linears[graph_.nodes[node].linear].name);
  }
  Members compressed(const std::vector<int>& nodes) const {
    Members out;
    for (const int node : nodes) out.push_back(&compressed(node));
    return out;
  }

  /// Notes why the linear at `node` is not served; true when it is.
  bool served(int node) {
    const auto found = model_.linears.find(graph_.linears[graph_.nodes[node].linear].name);
    if (found == model_.linears.end()) {
      refusals_[node] = {node, "torch", "", "stays in 16 bit"};
      return false;
    }
    const std::string reason = why_not_fused(found->second, architecture_);
    if (!reason.empty()) refusals_[node] = {node, "reference", "", reason};
    return reason.empty();
  }

  void add_group(const LayerGroup& group) {
    std::vector<std::vector<FusedNode::Product>> sharing;  // classes of products with one input
    for (const std::vector<int>& branch : group.branches)
      for (FusedNode::Product& product : products_of(branch)) {
        if (is_weight_only(compressed(product.nodes[0]))) {
          out_.nodes.push_back({.weight_only = true, .products = {product}});
          continue;
        }
        auto fits = std::find_if(sharing.begin(), sharing.end(),
                                 [&](const auto& shared) { return can_share(shared, product); });
        if (fits == sharing.end()) fits = sharing.insert(sharing.end(), std::vector<FusedNode::Product>());
        fits->push_back(std::move(product));
      }
    for (auto& products : sharing) out_.nodes.push_back({.products = std::move(products)});
  }

  /// The served linears of a branch: one product where weights and input allow it, else one each.
  std::vector<FusedNode::Product> products_of(const std::vector<int>& linears) {
    std::vector<int> nodes;
    for (const int linear : linears)
      if (served(node_of_.at(linear))) nodes.push_back(node_of_.at(linear));
    std::stable_sort(nodes.begin(), nodes.end(), [&](int a, int b) {
      return role_order(graph_.linears[graph_.nodes[a].linear].role) <
             role_order(graph_.linears[graph_.nodes[b].linear].role);
    });
    if (nodes.size() > 1 && is_one_product(nodes)) return {{nodes, {}}};
    std::vector<FusedNode::Product> out;
    for (const int node : nodes) out.push_back({{node}, {}});
    return out;
  }

  bool is_one_product(const std::vector<int>& nodes) const {
    const CompressedLinear& first = compressed(nodes[0]);
    for (const int node : nodes) {
      const CompressedLinear& other = compressed(node);
      if (graph_.nodes[node].inputs != graph_.nodes[nodes[0]].inputs ||
          !why_not_shared(first, other).empty() ||
          !(first.low_bit()->weight.scheme == other.low_bit()->weight.scheme))
        return false;
    }
    return fused_rank(compressed(nodes)) <= kMaxRank;
  }

  bool can_share(const std::vector<FusedNode::Product>& shared, const FusedNode::Product& product) const {
    int64_t rank = fused_rank(compressed(product.nodes));
    for (const FusedNode::Product& p : shared) rank += fused_rank(compressed(p.nodes));
    return rank <= kMaxRank &&
           graph_.nodes[shared[0].nodes[0]].inputs == graph_.nodes[product.nodes[0]].inputs &&
           why_not_shared(compressed(shared[0].nodes[0]), compressed(product.nodes[0])).empty();
  }

  /// Heads behind products; of two parts of the tokens only both together.
  void keep_matching_heads() {
    std::map<int, int> parts;  // query node -> parts found
    for (FusedNode& node : out_.nodes)
      for (FusedNode::Product& p : node.products) {
        if (node.weight_only || p.nodes.size() != 3) continue;
        p.heads = find_heads(graph_, uses_, p.nodes);
        if (!p.heads) continue;
        const LoopDecision decision = choose_main_loop(
            fused_problem(compressed(p.nodes), EpilogueKind::kNormRope, p.heads->head_dim), architecture_);
        if (!decision.chosen || p.heads->table >= p.nodes[0]) {
          node.left_out = "norm and rope: " + decision.to_string();
          p.heads.reset();
          continue;
        }
        ++parts[p.heads->query];
      }
    for (FusedNode& node : out_.nodes)
      for (FusedNode::Product& p : node.products)
        if (p.heads && p.heads->part != TokenPart::kAll && parts[p.heads->query] != 2) {
          node.left_out = "norm and rope: the other part of the tokens is not served";
          p.heads.reset();
        }
  }

  void finish(FusedNode& node) {
    for (const FusedNode::Product& p : node.products) {
      node.covers.insert(node.covers.end(), p.nodes.begin(), p.nodes.end());
      if (p.heads) {
        const std::vector<int> behind = covered_by_heads(graph_, uses_, p.nodes);
        node.covers.insert(node.covers.end(), behind.begin(), behind.end());
      }
    }
    node.at = node.products[0].nodes[0];
    for (const FusedNode::Product& p : node.products)
      node.at = std::min(node.at, *std::min_element(p.nodes.begin(), p.nodes.end()));
    node.name = graph_.nodes[node.at].id;
    add_sources(node);
    std::sort(node.covers.begin(), node.covers.end());
  }

  bool only_read_by(int node, const FusedNode& fused) const {
    return node != graph_.output && std::all_of(uses_[node].begin(), uses_[node].end(), [&](int user) {
             return std::find(fused.covers.begin(), fused.covers.end(), user) != fused.covers.end();
           });
  }

  void add_sources(FusedNode& fused) const {
    const int input = graph_.nodes[fused.at].inputs[0];
    const Node& node = graph_.nodes[input];
    if (fused.weight_only) {
      fused.sources = {{input}};
    } else if (!only_read_by(input, fused)) {
      fused.sources = {{input}};
      if (node.op == Op::kModulate || node.op == Op::kGelu || node.op == Op::kConcat)
        fused.left_out += concat(fused.left_out.empty() ? "" : "; ", node.id, " is read by others, too");
    } else if (node.op == Op::kConcat && node.attribute("axis") == -1 &&
               node.inputs.size() == compressed(fused.at).low_bit()->segments.size()) {
      fused.covers.push_back(input);
      for (const int part : node.inputs) fused.sources.push_back(behind_gelu(part, fused));
    } else if (node.op == Op::kModulate && graph_.nodes[node.inputs[0]].op == Op::kLayerNorm) {
      fused.sources = {behind_norm(input, fused)};
    } else {
      fused.sources = {behind_gelu(input, fused)};
    }
  }

  FusedNode::Source behind_gelu(int node, FusedNode& fused) const {
    if (graph_.nodes[node].op != Op::kGelu || !only_read_by(node, fused)) return {node};
    fused.covers.push_back(node);
    return {graph_.nodes[node].inputs[0], InputStep::kGelu};
  }

  FusedNode::Source behind_norm(int modulate, FusedNode& fused) const {
    const Node& node = graph_.nodes[modulate];
    const Node& norm = graph_.nodes[node.inputs[0]];
    fused.covers.push_back(modulate);
    if (only_read_by(node.inputs[0], fused)) fused.covers.push_back(node.inputs[0]);
    return {norm.inputs[0], InputStep::kLayerNormModulate, node.inputs[1], node.inputs[2],
            norm.attribute("eps")};
  }

  void set_paths() {
    std::map<int, NodePath> by_node = refusals_;
    for (const FusedNode& fused : out_.nodes)
      for (const int node : fused.covers) by_node[node] = {node, "fused", fused.name, fused.left_out};
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.nodes[i].op == Op::kInput) continue;
      const auto found = by_node.find(static_cast<int>(i));
      out_.paths.push_back(found != by_node.end() ? found->second
                                                  : NodePath{static_cast<int>(i), "torch", "", ""});
    }
  }

  const Graph& graph_;
  const CompressedModel& model_;
  int architecture_;
  NodeUses uses_;
  std::map<int, int> node_of_;  // linear -> node
  std::map<int, NodePath> refusals_;
  FusionPlan out_;
};

std::string step_name(InputStep step) {
  return step == InputStep::kGelu                ? "gelu("
         : step == InputStep::kLayerNormModulate ? "layer_norm+modulate("
                                                 : "(";
}

}  // namespace

FusionPlan plan_fusion(const Graph& graph, const CompressedModel& model, int architecture) {
  return Planner(graph, model, architecture).plan();
}

double least_sqnr_db(const FusedNode& node) {
  for (const FusedNode::Source& s : node.sources)
    if (s.step != InputStep::kNone) return 45;
  return 50;
}

std::string to_text(const Graph& graph, const FusionPlan& plan) {
  std::string out;
  for (const FusedNode& node : plan.nodes) {
    out += node.weight_only ? "weight-only" : "quantize+down";
    for (const FusedNode::Source& s : node.sources)
      out += " " + step_name(s.step) + graph.nodes[s.node].id + ")";
    out += " ->";
    for (const FusedNode::Product& p : node.products) {
      for (size_t i = 0; i < p.nodes.size(); ++i) out += (i > 0 ? " | " : " ") + graph.nodes[p.nodes[i]].id;
      if (p.heads) out += " +norm+rope";
      out += ",";
    }
    out.back() = '\n';
  }
  return out;
}

}  // namespace svdlab
