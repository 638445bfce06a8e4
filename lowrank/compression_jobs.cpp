#include "lowrank/compression_jobs.h"

#include <algorithm>
#include <chrono>

#include "core/base/error.h"
#include "lowrank/gpu_stages.h"

namespace svdlab {
namespace {

const LayerGroup& group_named(const Graph& graph, const std::string& name) {
  for (const LayerGroup& group : graph.groups)
    if (group.name == name) return group;
  throw Error(Errc::kUnexpected, "no group is named " + name);
}

std::string root_of(const Graph& graph, const LayerGroup& group) {
  const LayerGroup* g = &group;
  for (size_t hops = 0; !g->smooth_tied_to.empty() && hops < graph.groups.size(); ++hops)
    g = &group_named(graph, g->smooth_tied_to);
  return g->name;
}

bool stays_16_bit(const PlanRule& rule) { return !rule.scheme.weights || rule.recipe.keeps_16_bit(); }

// Nothing ties the linears of such a job together: each is quantized on its own.
bool is_divisible(const Recipe& recipe) {
  return recipe.transform == "none" && recipe.branch == "none" && recipe.rank == 0;
}

int64_t weights_of(const Graph& graph, int linear) { return graph.linears[linear].weight.numel(); }

// All adaLN linears of a large model share their input, and would not fit into memory at once.
std::vector<CompressionJob> divided(const Graph& graph, const CompressionJob& whole) {
  if (whole.weights <= kMostUntiedWeights || !is_divisible(whole.rule->recipe)) return {whole};
  std::vector<CompressionJob> out;
  for (const CompressionJob::Share& share : whole.shares) {
    const LayerGroup* group = nullptr;
    for (const int linear : share.linears) {
      const int64_t weights = weights_of(graph, linear);
      if (group == nullptr || out.back().weights + weights > kMostUntiedWeights)
        out.push_back({.rule = whole.rule, .shares = {{.group = share.group, .linears = {}}}});
      group = share.group;
      out.back().shares.front().linears.push_back(linear);
      out.back().weights += weights;
    }
  }
  return out;
}

GroupProblem make_problem(const Graph& graph, const StatsMap& stats, const CompressionJob::Share& share,
                          const PlanRule& rule, at::Device device) {
  GroupProblem p;
  std::map<int, int> position;
  for (const int linear : share.linears) {
    const LinearSpec& spec = graph.linears[linear];
    position[linear] = static_cast<int>(p.weights.size());
    p.linear_names.push_back(spec.name);
    p.weights.push_back(spec.weight.to(device).to(at::kFloat).contiguous());
  }
  for (const std::vector<int>& branch : share.group->branches) {
    std::vector<int> part;
    for (const int linear : branch)
      if (position.count(linear)) part.push_back(position.at(linear));
    if (!part.empty()) p.branches.push_back(part);
  }
  const auto found = stats.find(share.group->name);
  p.stats = found == stats.end() ? nullptr : &found->second;
  p.name = share.group->name;
  p.segments = graph.linears[share.linears.front()].segments;
  if (rule.recipe.joint_segments && p.segments.size() > 1)
    p.segments = {{0, p.channels(), Producer::kConcat}};
  p.scheme = rule.scheme;
  SVDLAB_REQUIRE(!p.stats || p.stats->channels() == p.channels(), Errc::kInput, "statistics of group ",
                 p.name, " have ", p.stats ? p.stats->channels() : 0, " channels, its weights ",
                 p.channels());
  return p;
}

void add_bias(CompressedLinear& linear, const Tensor& bias) {
  for (TimestepVariant& range : linear.ranges) add_bias(range.linear, bias);
  if (linear.ranges.empty())
    linear.bias = linear.bias.defined() ? linear.bias + bias : bias.to(at::kFloat).clone();
}

}  // namespace

std::vector<CompressionJob> compression_jobs(const Graph& graph, const Plan& plan,
                                             const std::vector<int>& rules) {
  std::map<std::pair<std::string, int>, CompressionJob> jobs;
  for (const LayerGroup& group : graph.groups) {
    std::map<int, std::vector<int>> by_rule;
    for (const int linear : group.members) by_rule[rules[linear]].push_back(linear);
    for (auto& [rule, linears] : by_rule) {
      if (stays_16_bit(plan[rule])) continue;
      CompressionJob& job = jobs[{root_of(graph, group), rule}];
      job.rule = &plan[rule];
      for (const int l : linears) job.weights += weights_of(graph, l);
      job.shares.push_back({&group, std::move(linears)});
    }
  }
  std::vector<CompressionJob> out;
  for (const auto& [key, job] : jobs)
    for (CompressionJob& part : divided(graph, job)) out.push_back(std::move(part));
  // The largest first: a big one that starts last would leave the other threads idle.
  std::stable_sort(out.begin(), out.end(),
                   [](const CompressionJob& a, const CompressionJob& b) { return a.weights > b.weights; });
  return out;
}

std::vector<GroupProblem> group_problems(const Graph& graph, const StatsMap& stats, const CompressionJob& job,
                                         at::Device device) {
  std::vector<GroupProblem> problems;
  for (const CompressionJob::Share& share : job.shares)
    problems.push_back(make_problem(graph, stats, share, *job.rule, device));
  return problems;
}

GroupCompression run_job(const Graph& graph, const StatsMap& stats, const CompressionJob& job,
                         const CompressionOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  StatsMap moved;
  for (const auto& [name, of_group] : stats) moved[name] = of_group.to(options.device);
  GroupCompression out =
      compress_group(group_problems(graph, moved, job, options.device), job.rule->recipe, options);
  if (!options.device.is_cpu()) move_to_cpu(out.linears);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  for (CompressionLog& log : out.log) log.seconds = seconds.count() / static_cast<double>(out.log.size());
  for (CompressedLinear& linear : out.linears)
    if (const Tensor& bias = graph.linears[graph.linear_index(linear.name)].bias; bias.defined())
      add_bias(linear, bias);
  return out;
}

}  // namespace svdlab
