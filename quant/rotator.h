#pragma once
#include <memory>
#include <span>
#include <vector>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/online.h"
#include "quant/group_problem.h"

namespace svdlab {

/// Chooses an orthogonal change of the channels of a group's input. Every K range (segment) is rotated within
/// itself, so that a range that is quantized on its own keeps its own values. Immutable.
class Rotator {
 public:
  virtual ~Rotator() = default;
  /// @param problems  the groups that must share the steps, all with the same K ranges.
  /// @param smooth    [K] fp32: what the input is divided by before, or undefined.
  /// Throws kConfig for a block that does not fit a K range, with the linear's name.
  virtual std::vector<OnlineStep> steps(std::span<const GroupProblem> problems,
                                        const Tensor& smooth) const = 0;
  virtual bool needs_stats() const { return false; }
};

using RotatorFactory = std::unique_ptr<Rotator> (*)(Fields& options);
/// Catalogue of rotations: each is a transform by itself, and `rotation:` of a transform that also smooths.
const Registry<RotatorFactory>& rotators();

/// `rotation: name` or `rotation: {name: options}`; the Hadamard rotation with its defaults when absent.
std::unique_ptr<Rotator> read_rotator(Fields& options);

/// Reads `block`, the channels that are mixed with each other: 0 for a whole K range, else at least 2.
int64_t read_block(Fields& options, int64_t fallback);
/// Reads `seed`, 0 when absent.
uint64_t read_rotation_seed(Fields& options);
/// The number of channels to mix in a K range: `block`, or all of them. Throws as Rotator::steps.
int64_t block_of(const Segment& segment, int64_t block, const GroupProblem& problem);

/// The first `count` kept tokens of each group, divided by `smooth`, fp64 [T, K].
Tensor sample_tokens(std::span<const GroupProblem> problems, const Tensor& smooth, int64_t count);

}  // namespace svdlab
