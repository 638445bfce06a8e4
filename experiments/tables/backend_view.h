#pragma once
#include <string>

#include "experiments/study/cell_file.h"

namespace svdlab {

/// How far the PSNR of two backends against 16 bit may differ, in the mean over the same items.
inline constexpr double kBackendGateDb = 0.3;

/// One row for every cell on every backend: the node that is nearest to its gate, PSNR, its paired difference
/// to the reference's cell with the same recipe, whether that is within the gate, seconds a step. No rows
/// for studies on the reference alone. From /backends and /samples.
Table backend_table(const ResultFile& results);
std::string backend_caption();

/// How many nodes each path serves, by cell, and why some are not fused (each reason once, with a node).
Table path_table(const ResultFile& results);

}  // namespace svdlab
