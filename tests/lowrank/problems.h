#pragma once
#include <deque>
#include <string>
#include <vector>

#include "core/io/yaml.h"
#include "core/runtime/compressed_linear.h"
#include "lowrank/compress_group.h"
#include "tests/support/support.h"

namespace svdlab::testing {

/// Weights as diffusion transformers have them: a decaying spectrum above a flat floor. [rows, cols] fp32.
inline Tensor realistic_weight(int64_t rows, int64_t cols, const std::string& name) {
  const int64_t strong = std::min<int64_t>(16, std::min(rows, cols));
  const Tensor decay = at::logspace(0.5, -1, strong);
  const Tensor low = random_tensor({rows, strong}, name + "-up")
                         .mul(decay)
                         .matmul(random_tensor({strong, cols}, name + "-down"));
  return (low * 0.02 + random_tensor({rows, cols}, name) * 0.02).to(at::kBFloat16).to(at::kFloat);
}

/// Inputs with a few channels far larger than the rest. [tokens, channels] fp32.
inline Tensor outlier_inputs(int64_t tokens, int64_t channels, const std::string& name) {
  Tensor scale = at::ones({channels});
  for (int64_t i = 0; i < 6; ++i) scale[(37 * i + 5) % channels] = 20.0 + 10 * static_cast<double>(i);
  return (random_tensor({tokens, channels}, name) * scale).to(at::kBFloat16).to(at::kFloat);
}

inline ActivationStats stats_of(const Tensor& x) {
  ActivationStats s;
  s.add(x, at::arange(x.size(0)));
  return s;
}

/// Gradients g = sum over tokens of e x^T, e [tokens, rows] of rows a thousand times apart: 4 samples.
inline WeightFisher fisher_of(const Tensor& x, int64_t rows, const std::string& name) {
  WeightFisher fisher;
  const Tensor scale =
      at::logspace(-1.5, 1.5, rows).index_select(0, at::arange(rows).mul(7).add(3).remainder(rows));
  for (const Tensor& tokens : x.split(x.size(0) / 4)) {
    const Tensor e = random_tensor({tokens.size(0), rows}, name + "-e") * scale;
    fisher.add(e.t().matmul(tokens), /*keep_full=*/true);
  }
  return fisher;
}

/// A group of linears with one input of outlier channels, all in one branch.
struct OutlierGroup {
  OutlierGroup(const std::string& name, const std::vector<int64_t>& outs, int64_t channels,
               const std::string& scheme, int64_t tokens = 256)
      : x(outlier_inputs(tokens, channels, name + "-x")), stats(stats_of(x)) {
    problem.name = name;
    problem.branches = {{}};
    for (size_t i = 0; i < outs.size(); ++i) {
      problem.linear_names.push_back(name + "." + std::to_string(i));
      problem.weights.push_back(realistic_weight(outs[i], channels, problem.linear_names.back()));
      stats.fisher[problem.linear_names.back()] = fisher_of(x, outs[i], problem.linear_names.back());
      problem.branches[0].push_back(static_cast<int>(i));
    }
    problem.segments = {{0, channels, Producer::kModulate}};
    problem.scheme = scheme_named(scheme);
    problem.stats = &stats;
  }
  OutlierGroup(const OutlierGroup&) = delete;

  Tensor x;
  ActivationStats stats;
  GroupProblem problem;
};

inline Recipe recipe(const std::string& yaml) { return parse_recipe(parse_yaml(yaml, "test"), ""); }

inline GroupCompression compress(const GroupProblem& problem, const std::string& yaml) {
  return compress_group({&problem, 1}, recipe(yaml), {});
}

/// ||Y16 - Yq||^2 / ||Y16||^2 through the executor's own arithmetic, over all linears of the group.
inline double output_error(const OutlierGroup& group, const GroupCompression& c) {
  double difference = 0, total = 0;
  for (size_t i = 0; i < c.linears.size(); ++i) {
    const Tensor y = group.x.matmul(group.problem.weights[i].t()).to(at::kDouble);
    const Tensor yq = run_compressed(c.linears[i], group.x, Execution::kDequantized).to(at::kDouble);
    difference += (y - yq).square().sum().item<double>();
    total += y.square().sum().item<double>();
  }
  return difference / total;
}

inline double output_error(const OutlierGroup& group, const std::string& yaml) {
  return output_error(group, compress(group.problem, yaml));
}

}  // namespace svdlab::testing
