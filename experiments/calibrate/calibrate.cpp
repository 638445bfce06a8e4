#include "experiments/calibrate/calibrate.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/base/parallel.h"
#include "core/base/rng.h"
#include "core/ir/timestep_range.h"
#include "core/runtime/single_thread.h"
#include "experiments/calibrate/gradients.h"

namespace svdlab {
namespace {

/// Lets workers merge in index order whatever order they finish in, so that sums do not depend on the thread
/// count.
class Turnstile {
 public:
  template <class Action>
  void in_turn(int64_t index, const Action& action) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return next_ == index || broken_; });
    if (broken_) return;
    action();
    ++next_;
    changed_.notify_all();
  }
  void abandon() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t next_ = 0;
  bool broken_ = false;
};

/// `count` different steps of 0..steps-1, sorted.
std::vector<int64_t> chosen_steps(const Rng& rng, int64_t steps, int64_t count) {
  std::vector<int64_t> all(steps);
  std::iota(all.begin(), all.end(), int64_t{0});
  for (int64_t i = 0; i < count; ++i)
    std::swap(all[i], all[i + static_cast<int64_t>(rng.below(i, steps - i))]);
  all.resize(count);
  std::sort(all.begin(), all.end());
  return all;
}

/// A random priority for each of `count` tokens; 62 bits, so a tie within a calibration set does not happen.
Tensor token_keys(const Rng& rng, int64_t count) {
  Tensor keys = at::empty({count}, at::kLong);
  for (int64_t i = 0; i < count; ++i) {
    const auto words = rng.block(static_cast<uint64_t>(i));
    keys.data_ptr<int64_t>()[i] = static_cast<int64_t>(((uint64_t{words[0]} << 32) | words[1]) >> 2);
  }
  return keys;
}

/// Node index of each group's input consumer -> group.
std::map<int, const LayerGroup*> observed_nodes(const Graph& graph) {
  std::map<int, const LayerGroup*> out;
  for (const LayerGroup& group : graph.groups) out[graph.node_of_linear(group.members.front())] = &group;
  return out;
}

void check_groups(const Graph& graph, const std::set<std::string>& groups) {
  std::vector<std::string> known;
  for (const LayerGroup& group : graph.groups) known.push_back(group.name);
  for (const std::string& name : groups)
    SVDLAB_REQUIRE(std::find(known.begin(), known.end(), name) != known.end(), Errc::kConfig,
                   "full gradients: no group is named ", name, "; nearest: ", nearest(name, known));
}

}  // namespace

int64_t calibration_bytes(const Graph& graph, const CalibrationOptions& options) {
  int64_t one_set = 0;
  for (const LayerGroup& group : graph.groups) {
    const int64_t k = graph.linears[group.members.front()].in_features();
    one_set += (8 * k * k + 4 * options.tokens * k) * (1 + options.time_ranges);
  }
  int64_t largest = 0;
  for (size_t i = 0; options.gradients && i < graph.linears.size(); ++i) {
    const LinearSpec& spec = graph.linears[i];
    const int64_t weights = spec.out_features() * spec.in_features();
    largest = std::max(largest, weights);
    one_set += 8 * (spec.out_features() + spec.in_features());
    if (options.full_gradients.count(graph.group_of(static_cast<int>(i)).name)) one_set += 8 * weights;
  }
  constexpr int64_t kGradient = 4 + 8 + 8;  // bytes an element of a gradient and its square take on the way
  return one_set * (1 + options.threads) + kGradient * largest * options.threads;
}

CalibrationSteps calibration_steps_named(const std::string& name, const std::string& where) {
  SVDLAB_REQUIRE(name == "random" || name == "uniform", Errc::kConfig, where,
                 " must be random or uniform, not \"", name, "\"");
  return name == "uniform" ? CalibrationSteps::kUniform : CalibrationSteps::kRandom;
}

std::vector<int64_t> uniform_steps(int64_t item, int64_t items, int64_t steps, int64_t count) {
  SVDLAB_REQUIRE(count > 0 && count <= steps, Errc::kConfig, "cannot take ", count, " of ", steps, " steps");
  std::vector<int64_t> out;
  for (int64_t j = 0; j < count; ++j)
    out.push_back(((2 * (j * items + item) + 1) * steps) / (2 * items * count));
  return out;
}

std::vector<double> time_range_uppers(const std::vector<double>& sigmas, int64_t ranges) {
  const int64_t steps = static_cast<int64_t>(sigmas.size()) - 1;
  SVDLAB_REQUIRE(ranges > 0 && ranges <= steps, Errc::kConfig, "cannot make ", ranges,
                 " ranges of timesteps of ", steps, " sampling steps");
  std::vector<double> out;
  for (int64_t r = ranges; r-- > 1;) {
    const int64_t first = (r * steps + ranges - 1) / ranges;
    out.push_back((sigmas[first - 1] + sigmas[first]) / 2);
  }
  out.push_back(sigmas.front());
  return out;
}

StatsMap calibrate(const Model& model, const Conditioning& conditioning, const SamplingFacts& facts,
                   const CalibrationOptions& options, const std::function<void(int64_t, int64_t)>& progress) {
  const int64_t per_item = std::min(options.pairs_per_item, options.steps);
  SVDLAB_REQUIRE(options.pairs > 0 && per_item > 0 && options.pairs % per_item == 0, Errc::kConfig,
                 "calibration pairs ", options.pairs, " must be a positive multiple of pairs_per_item ",
                 per_item);
  check_groups(model.graph, options.full_gradients);
  const int64_t count = options.pairs / per_item;
  const auto items = class_items(model, conditioning, facts, "calibration", count, options.seed);
  SampleItem unconditional{.name = "no-class"};
  unconditional.tokens = conditioning.tokens[conditioning.no_class()].unsqueeze(0);
  unconditional.pooled = conditioning.pooled[conditioning.no_class()].unsqueeze(0);
  const Executor executor(model.graph);
  const Sampler sampler(
      executor, model,
      {.steps = options.steps, .guidance = options.guidance, .facts = facts, .unconditional = unconditional});
  const auto observed = observed_nodes(model.graph);
  std::vector<TimestepStats> ranges;
  if (options.time_ranges > 0)
    for (const double upper : time_range_uppers(sampler.sigmas(), options.time_ranges))
      ranges.push_back({.upper = upper, .stats = {.capacity = options.tokens}});
  StatsMap total;
  Turnstile turnstile;
  int64_t done = 0;
  parallel_for(count, options.threads, [&](int64_t i, int) {
    try {
      const SingleThreadScope single;
      const NoGradGuard no_grad;
      const std::vector<int64_t> steps =
          options.timesteps == CalibrationSteps::kUniform
              ? uniform_steps(i, count, options.steps, per_item)
              : chosen_steps(Rng(options.seed, "calibration-steps/" + items[i].name), options.steps,
                             per_item);
      const Trajectory trajectory = sampler.run(items[i], steps.back());
      StatsMap part;
      for (const int64_t step : steps) {
        const auto observe = [&](int node, const std::vector<Tensor>& inputs, const Tensor&) {
          const auto found = observed.find(node);
          if (found == observed.end()) return;
          const Tensor x = inputs[0].reshape({-1, inputs[0].size(-1)});
          ActivationStats& stats = part[found->second->name];
          stats.capacity = options.tokens;
          const Tensor keys = token_keys(
              Rng(options.seed, concat(found->second->name, '/', items[i].name, '/', step)), x.size(0));
          stats.add(x, keys);
          if (ranges.empty()) return;
          if (stats.ranges.empty()) stats.ranges = ranges;
          stats.ranges[range_at(ranges, sampler.sigmas()[step])].stats.add(x, keys);
        };
        const NamedTensors inputs = sampler.inputs(items[i], trajectory.latents[step], step);
        executor.run(inputs, observe);
        if (options.gradients)
          add_gradients(executor, model.graph, inputs,
                        Rng(options.seed, concat("gradients/", items[i].name, '/', step)),
                        options.full_gradients, part);
      }
      turnstile.in_turn(i, [&] {
        for (auto& [name, stats] : part) {
          if (total.count(name))
            total.at(name).merge(stats);
          else
            total.emplace(name, std::move(stats));
        }
        if (progress) progress(++done, count);
      });
    } catch (...) {
      turnstile.abandon();
      throw;
    }
  });
  for (const auto& [name, stats] : total) stats.require_finite(name);
  return total;
}

}  // namespace svdlab
