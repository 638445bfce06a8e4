#include "core/models/graph_builder.h"

#include <set>

namespace svdlab {

GraphBuilder::GraphBuilder(std::string architecture, TensorSource source) : source_(std::move(source)) {
  graph_.architecture = std::move(architecture);
}

int GraphBuilder::input(const std::string& name) { return node(name, Op::kInput, {}); }

int GraphBuilder::node(const std::string& id, Op op, std::vector<int> inputs,
                       std::map<std::string, double> attributes) {
  graph_.nodes.push_back(
      {.id = id, .op = op, .inputs = std::move(inputs), .attributes = std::move(attributes)});
  return static_cast<int>(graph_.nodes.size()) - 1;
}

int GraphBuilder::linear(const std::string& name, int x, int64_t in, int64_t out, LinearFacts facts) {
  if (facts.segments.empty()) facts.segments = {{0, in, facts.producer}};
  LinearSpec spec{.name = name,
                  .weight = source_(name + ".weight", {out, in}),
                  .bias = facts.bias ? source_(name + ".bias", {out}) : Tensor(),
                  .role = facts.role,
                  .block = facts.block,
                  .t_only = facts.t_only,
                  .segments = facts.segments};
  const int index = node(name, Op::kLinear, {x});
  graph_.nodes.back().linear = static_cast<int>(graph_.linears.size());
  linear_by_name_[name] = graph_.nodes.back().linear;
  graph_.linears.push_back(std::move(spec));
  return index;
}

int GraphBuilder::rms_norm(const std::string& name, int x, int64_t dim, double eps) {
  graph_.parameters[name + ".weight"] = source_(name + ".weight", {dim});
  const int index = node(name, Op::kRmsNorm, {x}, {{"eps", eps}});
  graph_.nodes.back().parameter = name + ".weight";
  return index;
}

void GraphBuilder::group(const std::vector<std::vector<std::string>>& branches,
                         const std::string& smooth_tied_to) {
  LayerGroup group{.name = branches.front().front(), .smooth_tied_to = smooth_tied_to};
  for (const auto& names : branches) {
    std::vector<int> branch;
    for (const std::string& name : names) branch.push_back(linear_by_name_.at(name));
    group.members.insert(group.members.end(), branch.begin(), branch.end());
    group.branches.push_back(std::move(branch));
  }
  graph_.groups.push_back(std::move(group));
}

Graph GraphBuilder::finish(int output) {
  graph_.output = output;
  std::set<int> grouped;
  for (const LayerGroup& g : graph_.groups) grouped.insert(g.members.begin(), g.members.end());
  for (size_t i = 0; i < graph_.linears.size(); ++i)
    if (!grouped.count(static_cast<int>(i))) group({{graph_.linears[i].name}});
  validate(graph_);
  return std::move(graph_);
}

}  // namespace svdlab
