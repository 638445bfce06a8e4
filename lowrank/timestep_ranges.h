#pragma once
#include <span>

#include "lowrank/compress_group.h"

namespace svdlab {

/// compress_group() for each range of timesteps that the statistics keep apart: linears with a variant for
/// each (CompressedLinear::ranges), of which every part, weights included, is the recipe's own for that range
/// (ViDiT-Q, arXiv 2406.02540, section 3.2, has smoothing and weight scales by range). One range is the
/// recipe on all timesteps. A log sums its ranges: energies, the best errors.
/// @param problems  kConfig where statistics or their ranges are missing.
GroupCompression compress_by_timestep(std::span<const GroupProblem> problems, const Recipe& recipe,
                                      const CompressionOptions& options);

}  // namespace svdlab
