#pragma once
#include <string>
#include <vector>

#include "core/ir/graph.h"
#include "core/ir/stats.h"
#include "lowrank/recipe.h"

namespace svdlab::bench {

/// The linears of a FLUX.1 block that are compressed together.
struct FluxUnit {
  std::string name;
  int64_t channels = 0;
  /// One entry for each group, of one entry for each branch, of the rows of its linears.
  std::vector<std::vector<std::vector<int64_t>>> groups;
  bool gelu = false;  ///< the input is GELU's, from channel `gelu_from` on
  int64_t gelu_from = 0;
  int blocks = 0;            ///< how many there are in FLUX.1-dev
  bool weight_only = false;  ///< adaLN: 4-bit weights rounded to nearest, 16-bit inputs
  int64_t weights() const;
};

/// All quantized linears of FLUX.1-dev: 19 double and 38 single blocks.
std::vector<FluxUnit> flux_units();

/// A unit with synthetic numbers, as a graph of its own; the tensors are on the CPU.
struct FluxProblem {
  Graph graph;  ///< bf16 weights
  StatsMap stats;
};

/// Weights: 0.02 (N + 0.08 A diag(s) B), N, A [rows, 64], B normal, s from 10^0.5 down to 0.1: a decaying
/// spectrum above a flat floor. Inputs, `tokens` of them: normal, plus 0.2 times 32 common directions, and 16
/// channels 20 to 80 times larger; behind GELU that of it. Made on `device` from `seed`.
FluxProblem make_flux_problem(const FluxUnit& unit, int64_t tokens, uint64_t seed, at::Device device);

/// The statistics of tokens x [n, K] in pieces, as calibration would keep them; on the device of the pieces.
ActivationStats statistics_of(const std::vector<Tensor>& pieces);

}  // namespace svdlab::bench
