// What a checkpoint of FLUX.1-dev's size takes: synthetic units of every shape through the whole search, from
// bf16 weights and fp64 statistics in the CPU's memory to codes in it, times the number of blocks.
//   ninja -C build flux_model_bench
//   build/lowrank/flux_model_bench int4 cuda:0           a tenth of the blocks: 2 of 19, 4 of 38
//   build/lowrank/flux_model_bench int4 cuda:0 stages    one unit of each shape, with the time of its stages
//   build/lowrank/flux_model_bench int4 cuda:0 cpu       the out unit on both devices
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>

#include "core/base/error.h"
#include "core/io/yaml.h"
#include "core/runtime/gpu_run.h"
#include "core/runtime/single_thread.h"
#include "lowrank/bench/flux_problems.h"
#include "lowrank/compression_jobs.h"

namespace svdlab::bench {
namespace {

constexpr int64_t kTokens = 16384;
constexpr int kCpuThreads = 16;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Everything on, with as many rounds as published code does at least: nothing ends them early.
Recipe recipe_with(const std::string& changes) {
  return parse_recipe(
      parse_yaml("{preset: svdquant-full, low_rank: {rank: 32}, driver: {svdquant: {iterations: 5, "
                 "early_stop: false, refit: true}}" +
                     changes + "}",
                 "bench"),
      "");
}

struct Cost {
  double seconds = 0, search = 0, error = 0;
  int64_t peak = 0;  // of the GPU's memory
};

Cost run_unit(const FluxProblem& problem, const std::string& scheme, const Recipe& recipe,
              at::Device device) {
  const Plan plan = {{"*", scheme_named(scheme), recipe, "bench"}};
  const std::vector<int> rules(problem.graph.linears.size(), 0);
  const std::vector<CompressionJob> jobs = compression_jobs(problem.graph, plan, rules);
  if (device.is_cuda()) gpu_forget_peak();
  Cost cost;
  const double start = now();
  for (const CompressionJob& job : jobs) {
    const GroupCompression done =
        run_job(problem.graph, problem.stats, job,
                {.group_threads = device.is_cuda() ? 1 : kCpuThreads, .device = device});
    // The linears of a branch carry the branch's errors.
    std::string last;
    for (const CompressionLog& log : done.log) {
      cost.search += log.search_seconds;
      const std::string branch = log.group + std::to_string(log.total_energy);
      if (branch != last) cost.error += log.round_errors[log.best_round];
      last = branch;
    }
  }
  cost.seconds = now() - start;
  cost.peak = gpu_memory().peak;
  return cost;
}

double gib(int64_t bytes) { return static_cast<double>(bytes) / (int64_t{1} << 30); }

void time_model(const std::string& scheme, at::Device device) {
  const Recipe full = recipe_with(""), rtn = parse_recipe(parse_yaml("{preset: rtn}", "bench"), "");
  std::printf("unit,weights,done,of,s_first,s_each,s_all,peak_GiB,error_over_rtn\n");
  double total = 0;
  int64_t peak = 0;
  for (const FluxUnit& unit : flux_units()) {
    const int count = (unit.blocks + 9) / 10;
    double first = 0, sum = 0, log_ratio = 0;
    int64_t most = 0;
    for (int i = 0; i < count; ++i) {
      const FluxProblem problem = make_flux_problem(unit, kTokens, i + 1, device);
      const std::string format = unit.weight_only ? "w4a16-int4-g64" : scheme;
      const Cost cost = run_unit(problem, format, unit.weight_only ? rtn : full, device);
      if (i == 0) first = cost.seconds;
      sum += cost.seconds;
      most = std::max(most, cost.peak);
      log_ratio += std::log(cost.error / run_unit(problem, format, rtn, device).error) / count;
    }
    const double all = sum / count * unit.blocks;
    total += all;
    peak = std::max(peak, most);
    std::printf("%s,%lld,%d,%d,%.3f,%.3f,%.1f,%.2f,%.4f\n", unit.name.c_str(),
                static_cast<long long>(unit.weights()), count, unit.blocks, first, sum / count, all,
                gib(most), std::exp(log_ratio));
    std::fflush(stdout);
  }
  std::printf("%s on %s: %.0f s projected for all units, peak %.2f GiB\n", scheme.c_str(),
              device.str().c_str(), total, gib(peak));
}

void time_stages(const std::string& scheme, at::Device device) {
  const Recipe full = recipe_with(""), no_search = recipe_with(", transform: {smooth: {alpha: 0.5}}"),
               plain_scales = recipe_with(", weights: gptq"), no_gptq = recipe_with(", weights: rtn");
  std::printf("unit,s,search,rounds,rounds_rtn_scales,rounds_no_gptq,without_search,peak_GiB\n");
  for (const FluxUnit& unit : flux_units()) {
    if (unit.name.rfind("txt", 0) == 0 || unit.weight_only) continue;
    const double start = now();
    const FluxProblem problem = make_flux_problem(unit, kTokens, 1, device);
    const double made = now() - start;
    run_unit(problem, scheme, no_gptq, device);
    const Cost cost = run_unit(problem, scheme, full, device);
    const Cost b = run_unit(problem, scheme, plain_scales, device),
               c = run_unit(problem, scheme, no_gptq, device);
    const Cost d = run_unit(problem, scheme, no_search, device);
    std::printf("%s,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.2f (made in %.1f s)\n", unit.name.c_str(), cost.seconds,
                cost.search, cost.seconds - cost.search, b.seconds - b.search, c.seconds - c.search,
                d.seconds, gib(cost.peak), made);
    std::fflush(stdout);
  }
}

void compare_with_cpu(const std::string& scheme, at::Device device) {
  const FluxProblem problem = make_flux_problem(flux_units()[2], kTokens, 1, device);
  const Recipe full = recipe_with("");
  const Cost gpu = run_unit(problem, scheme, full, device), cpu = run_unit(problem, scheme, full, at::kCPU);
  std::printf("%s, out unit: GPU %.2f s, CPU %.1f s on %d threads; output error GPU / CPU %.6f\n",
              scheme.c_str(), gpu.seconds, cpu.seconds, kCpuThreads, gpu.error / cpu.error);
}

}  // namespace

int run(const std::string& scheme, const std::string& device_name, const std::string& what) {
  const at::Device device(device_name);
  const SingleThreadScope single;
  const NoGradGuard no_grad;
  // The first call loads libraries and kernels.
  if (device.is_cuda()) {
    const FluxUnit small{.name = "warm", .channels = 256, .groups = {{{256}}}, .blocks = 1};
    const double start = now();
    run_unit(make_flux_problem(small, 1024, 0, device), scheme, recipe_with(""), device);
    std::printf("started in %.1f s\n", now() - start);
  }
  if (what == "stages") return time_stages(scheme, device), 0;
  if (what == "cpu") return compare_with_cpu(scheme, device), 0;
  return time_model(scheme, device), 0;
}

}  // namespace svdlab::bench

int main(int argc, char** argv) {
  const auto argument = [&](int i, const char* fallback) {
    return std::string(i < argc ? argv[i] : fallback);
  };
  try {
    return svdlab::bench::run(argument(1, "int4"), argument(2, "cpu"), argument(3, "model"));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
