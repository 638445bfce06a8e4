#pragma once
#include <span>

#include "lowrank/compress_model.h"
#include "lowrank/stages.h"
#include "quant/group_problem.h"

namespace svdlab {

struct GroupCompression {
  std::vector<CompressedLinear> linears;  ///< of the problems in order, members in order; without bias
  std::vector<CompressionLog> log;        ///< the same order
};

/// Compresses one set of groups that share a smoothing vector: fit the transform (each
/// candidate goes through the driver in one round with weights rounded to nearest, then the output error is
/// measured), fold it into the weights, run the driver on every branch partition. The Gram matrix a weight
/// quantizer sees is that of x / smooth; the constant shift of unsigned activations is left out of it, since
/// it is the same in every token and its effect is a bias.
/// @param problems  same K and scheme; refused (kConfig, kInput): missing statistics a stage needs, rank or
/// group size that does not fit, NaN or infinite weights.
GroupCompression compress_group(std::span<const GroupProblem> problems, const Recipe& recipe,
                                const CompressionOptions& options);

}  // namespace svdlab
