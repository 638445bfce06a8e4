#pragma once
#include <string>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "core/models/flux.h"

namespace svdlab {

/// What a random model is compressed to.
struct ArtefactOptions {
  std::string scheme = "int4";                ///< of the blocks' linears: "int4", "nvfp4" or "w8a8"
  std::string modulation = "w4a16-int4-g64";  ///< of the adaLN linears
  int64_t rank = 32;
};

/// A graph without the weights of its compressed linears, whose places stubs hold, and these linears.
struct RandomArtefact {
  Graph graph;
  CompressedModel compressed;
};

/// FLUX.1 with random_weights, each weight quantized as it is made by rounding to nearest, so that never more
/// than one is there in 16 bit. Smoothing vectors and low-rank factors are random, too, and shared as the
/// layer groups say: an artefact that runs like a real one, and approximates nothing.
RandomArtefact random_artefact(const FluxConfig& config, const ArtefactOptions& options, at::Device device);

}  // namespace svdlab
