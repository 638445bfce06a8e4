#pragma once
#include "core/ir/graph.h"
#include "core/models/flux.h"
#include "core/runtime/graph_runner.h"

namespace svdlab {

/// What a step is timed on; the defaults are FLUX.1-dev and a picture of 1024 x 1024.
struct StepShape {
  FluxConfig model = {.guidance_embeds = true};
  int64_t image_tokens = 4096;  ///< a square number
  int64_t text_tokens = 512;
};

/// Weights as a freshly initialised network has them, made on `device` in bf16 when they are asked for:
/// matrices of deviation 1 / sqrt(in), biases 0.02, weights of norms about 1. Seeded by the name.
TensorSource random_weights(at::Device device);

/// Inputs of a step for one item, of the shapes that build_flux names; bf16 but for times and positions.
NamedTensors step_inputs(const StepShape& shape, at::Device device);

/// A tensor of that shape that takes the memory of one number: stands for a weight that is held elsewhere.
Tensor weight_stub(at::IntArrayRef shape, at::Device device);

/// Bytes of the distinct memory behind the weights and biases of the graph.
int64_t graph_bytes(const Graph& graph);

}  // namespace svdlab
