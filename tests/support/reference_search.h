#pragma once
#include <span>
#include <vector>

#include "core/ir/compressed.h"
#include "quant/group_problem.h"

namespace svdlab::testing {

// DeepCompressor's SVDQuant search, written a second time from its description and as plainly as it goes, in
// float64: full LAPACK SVDs, its own rounding to the number formats, and a replay of every token for every
// candidate and round. Slow; what the fast search is held against.

struct ReferenceOptions {
  int64_t rank = 8;
  int64_t grid = 20;         ///< 2 grid - 1 smoothing candidates
  int64_t iterations = 100;  ///< at most; stops at the first increase
};

/// One branch partition, in smoothed units.
struct ReferenceBranch {
  Tensor low_bit;   ///< [rows, K] fp64, decoded
  Tensor up, down;  ///< fp64 holding bf16 values
};

struct ReferenceGroup {
  Tensor smooth;  ///< [K] fp64
  std::vector<ReferenceBranch> branches;
  double error = 0;  ///< on every token of the reservoir
};

/// @param problems  that share a smoothing vector; schemes int4 and nvfp4 with quantized activations.
std::vector<ReferenceGroup> reference_svdquant(std::span<const GroupProblem> problems,
                                               const ReferenceOptions& options);

/// ||Y - Yq||_F^2 over the linears of a group on every token of the reservoir, by the same replay.
/// @param linears  of the problem's members, in order.
double replayed_error(const GroupProblem& problem, std::span<const CompressedLinear> linears);

}  // namespace svdlab::testing
