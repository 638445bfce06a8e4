#pragma once
#include <string>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "core/models/flux.h"
#include "core/runtime/graph_runner.h"

namespace svdlab::testing {

/// What a compressed linear of these tests is like.
struct CompressedKind {
  std::string scheme = "int4";
  int64_t rank = 8;
  bool smooth = true;
};

/// `spec` with a random smoothing vector, a low-rank branch of a few percent, and the rest rounded to
/// nearest. Linears of one `group` share smoothing vector and down factor.
CompressedLinear compressed_linear(const LinearSpec& spec, const CompressedKind& kind,
                                   const std::string& group);

/// All linears inside blocks, adaLN in w4a16-int4-g64; what shares an input shares smoothing, what is one
/// branch its down factor.
CompressedModel compressed_model(const Graph& graph, const CompressedKind& kind);

/// FLUX with one double and one single block, two heads of 64 channels, random bf16 weights.
FluxConfig small_flux();
Graph random_flux(const FluxConfig& config);
/// Inputs of `items` items with that many image (a square) and 5 text tokens.
NamedTensors flux_inputs(const FluxConfig& config, int64_t items, int64_t side);

}  // namespace svdlab::testing
