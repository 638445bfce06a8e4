#include "lowrank/compress_model.h"

#include <chrono>
#include <mutex>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/runtime/single_thread.h"
#include "lowrank/compress_group.h"

namespace svdlab {
namespace {

// The part of a group that one rule covers.
struct Share {
  const LayerGroup* group;
  std::vector<int> linears;  // indices into Graph::linears
};

// Shares that must have one smoothing vector: the unit of work.
struct Job {
  const PlanRule* rule;
  std::vector<Share> shares;
  double cost = 0;
};

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

std::vector<Job> make_jobs(const Graph& graph, const Plan& plan, const std::vector<int>& rules) {
  std::map<std::pair<std::string, int>, Job> jobs;
  for (const LayerGroup& group : graph.groups) {
    std::map<int, std::vector<int>> by_rule;
    for (const int linear : group.members) by_rule[rules[linear]].push_back(linear);
    for (auto& [rule, linears] : by_rule) {
      if (stays_16_bit(plan[rule])) continue;
      Job& job = jobs[{root_of(graph, group), rule}];
      job.rule = &plan[rule];
      for (const int l : linears) job.cost += static_cast<double>(graph.linears[l].weight.numel());
      job.shares.push_back({&group, std::move(linears)});
    }
  }
  std::vector<Job> out;
  for (auto& [key, job] : jobs) out.push_back(std::move(job));
  // The largest first: a big one that starts last would leave the other threads idle.
  std::stable_sort(out.begin(), out.end(), [](const Job& a, const Job& b) { return a.cost > b.cost; });
  return out;
}

GroupProblem make_problem(const Graph& graph, const StatsMap& stats, const Share& share,
                          const Scheme& scheme) {
  GroupProblem p;
  std::map<int, int> position;
  for (const int linear : share.linears) {
    const LinearSpec& spec = graph.linears[linear];
    position[linear] = static_cast<int>(p.weights.size());
    p.linear_names.push_back(spec.name);
    p.weights.push_back(spec.weight.to(at::kFloat).contiguous());
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
  p.scheme = scheme;
  SVDLAB_REQUIRE(!p.stats || p.stats->channels() == p.channels(), Errc::kInput, "statistics of group ",
                 p.name, " have ", p.stats ? p.stats->channels() : 0, " channels, its weights ",
                 p.channels());
  return p;
}

GroupCompression run_job(const Graph& graph, const StatsMap& stats, const Job& job,
                         const CompressionOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<GroupProblem> problems;
  for (const Share& share : job.shares)
    problems.push_back(make_problem(graph, stats, share, job.rule->scheme));
  GroupCompression out = compress_group(problems, job.rule->recipe, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  for (CompressionLog& log : out.log) log.seconds = seconds.count() / static_cast<double>(out.log.size());
  return out;
}

Compression collect(const Graph& graph, std::vector<GroupCompression>& parts) {
  Compression out;
  std::map<std::string, CompressionLog> logs;
  for (GroupCompression& part : parts) {
    for (CompressionLog& log : part.log) logs[log.linear] = std::move(log);
    for (CompressedLinear& linear : part.linears) out.model.linears[linear.name] = std::move(linear);
  }
  for (const LinearSpec& spec : graph.linears) {
    const auto found = logs.find(spec.name);
    if (found == logs.end()) continue;
    out.log.push_back(std::move(found->second));
    if (spec.bias.defined()) out.model.linears.at(spec.name).bias = spec.bias.to(at::kFloat).clone();
  }
  return out;
}

}  // namespace

Compression compress_model(const Graph& graph, const StatsMap& stats, const Plan& plan,
                           const CompressionOptions& options) {
  const std::vector<Job> jobs = make_jobs(graph, plan, assign_rules(graph, plan));
  std::vector<GroupCompression> parts(jobs.size());
  const SingleThreadScope whole_model;  // BLAS must not change its mind between jobs
  std::mutex mutex;
  int done = 0;
  parallel_for(static_cast<int64_t>(jobs.size()), options.threads, [&](int64_t i, int) {
    const SingleThreadScope this_worker;
    const NoGradGuard no_grad;
    parts[i] = run_job(graph, stats, jobs[i], options);
    const std::lock_guard lock(mutex);
    if (options.progress) options.progress(++done, static_cast<int>(jobs.size()));
  });
  return collect(graph, parts);
}

}  // namespace svdlab
