// Time of one layer group of FLUX.1's size through the whole search: 39 candidates with branch and
// quantizers, iteration with keep-best, GPTQ.
//   ninja -C build flux_group_bench && build/lowrank/flux_group_bench int4 2
//   build/lowrank/flux_group_bench int4 2 PRESET [K N]     another recipe, another shape
//   build/lowrank/flux_group_bench int4 2 reference        one candidate of the fp64 procedure, to
//   extrapolate from
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/rng.h"
#include "core/io/yaml.h"
#include "core/runtime/single_thread.h"
#include "lowrank/compress_group.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

constexpr int kCandidates = 39, kRounds = 5;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Values like normal ones (a sum of four uniforms), fast.
Tensor random(int64_t rows, int64_t cols, const std::string& name) {
  const Rng rng(0, name);
  Tensor t = at::empty({rows, cols}, at::kFloat);
  float* out = t.data_ptr<float>();
  for (int64_t i = 0; i < t.numel(); ++i) {
    const auto w = rng.block(static_cast<uint64_t>(i));
    const double sum = double{1} * w[0] + w[1] + w[2] + w[3];
    out[i] = static_cast<float>((sum * 0x1p-32 - 2) * 1.7320508);
  }
  return t;
}

// A decaying spectrum above a flat floor.
Tensor weight(int64_t rows, int64_t cols) {
  const Tensor up = random(rows, 64, "up") * at::logspace(0.5, -1, 64), down = random(64, cols, "down");
  return at::addmm(random(rows, cols, "floor"), up, down, 1, 0.08)
      .mul_(0.02)
      .to(at::kBFloat16)
      .to(at::kFloat);
}

// Correlated channels, 16 of them 20 to 80 times larger.
ActivationStats statistics(int64_t tokens, int64_t channels) {
  Tensor x = random(tokens, channels, "own") +
             random(tokens, 32, "common").matmul(random(32, channels, "mix")) * 0.2;
  for (int64_t i = 0; i < 16; ++i)
    x.select(1, (i * 997 + 5) % channels).mul_(20 + 4 * static_cast<double>(i));
  ActivationStats stats;
  stats.add(x.to(at::kBFloat16).to(at::kFloat), at::arange(tokens));
  return stats;
}

// What the fp64 procedure does for each candidate and round: a full SVD, the residual, a replay of the
// tokens. Candidates could run side by side, so the threads divide the time.
void time_reference(const GroupProblem& p, int threads) {
  const double start = now();
  const Tensor w = p.weights[0].to(at::kDouble);
  const auto [u, s, vh] = at::linalg_svd(w, /*full_matrices=*/false);
  const double svd = now() - start;
  const Tensor rest = w - (u * s).slice(1, 0, 32).matmul(vh.slice(0, 0, 32));
  const double sum = p.stats->reservoir.to(at::kDouble).matmul(rest.t()).sum().item<double>();
  const double candidate = now() - start;
  std::printf(
      "fp64 reference: 1 of %d candidates and rounds %.1f s (SVD %.1f s) on one thread; all of them on %d: "
      "%.0f s, extrapolated (check sum %g)\n",
      kCandidates + kRounds, candidate, svd, threads, candidate * (kCandidates + kRounds) / threads, sum);
}

int run(const std::string& scheme, int threads, const std::string& preset, int64_t channels, int64_t rows) {
  GroupProblem p;
  p.name = "bench";
  p.linear_names = {"bench"};
  p.weights = {weight(rows, channels)};
  p.branches = {{0}};
  p.segments = {{0, channels, Producer::kModulate}};
  p.scheme = scheme_named(scheme);
  const ActivationStats stats = statistics(4096, channels);
  p.stats = &stats;
  std::printf("K %lld, N %lld, %s, %d threads, preset %s\n", static_cast<long long>(channels),
              static_cast<long long>(rows), scheme.c_str(), threads, preset.c_str());
  const SingleThreadScope single;
  const NoGradGuard no_grad;
  const ScorerChoice choice =
      cheaper_scorer(CompressionOptions().score_tokens, channels, rows, p.scheme.activations.has_value());
  std::printf("scored by %s\n", choice.text().c_str());
  if (preset == "reference") return time_reference(p, threads), 0;
  Recipe recipe = parse_recipe(parse_yaml("{preset: " + preset + ", low_rank: {rank: 32}}", "bench"), "");
  recipe.driver_options.at_or_add("iterations") = Value::integer(kRounds);
  recipe.driver_options.at_or_add("early_stop") = Value::boolean(false);
  const double start = now();
  const GroupCompression out = compress_group({&p, 1}, recipe, {.group_threads = threads});
  const double seconds = now() - start;
  const CompressionLog& log = out.log[0];
  const double output =
      p.stats->reservoir.slice(0, 0, 1024).matmul(p.weights[0].t()).square().sum(at::kDouble).item<double>();
  std::printf("%.1f s: search of %zu candidates %.1f s, %zu rounds and the rest %.1f s\n", seconds,
              log.search.size(), log.search_seconds, log.round_errors.size(), seconds - log.search_seconds);
  for (const SearchStep& s : log.search)
    if (s.chosen) std::printf("chosen: alpha %g, beta %g\n", s.alpha, s.beta);
  std::printf("output SQNR by round:");
  for (const double e : log.round_errors) std::printf(" %.3f", 10 * std::log10(output / e));
  std::printf(" dB\n");
  return 0;
}

}  // namespace
}  // namespace svdlab

int main(int argc, char** argv) {
  const auto argument = [&](int i, const char* fallback) {
    return std::string(i < argc ? argv[i] : fallback);
  };
  return svdlab::run(argument(1, "int4"), std::atoi(argument(2, "2").c_str()), argument(3, "svdquant-full"),
                     std::atoll(argument(4, "3072").c_str()), std::atoll(argument(5, "9216").c_str()));
}
