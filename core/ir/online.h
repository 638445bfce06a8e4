#pragma once
#include <variant>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

// What is done to a linear's input x [T, K] before its branches see it. Each step maps a row x to x A + c
// with A invertible, so that a weight W of x becomes W' of the result with x W^T = (x A) W'^T; c goes into a
// bias.

/// x / by, per channel.
struct Divide {
  Tensor by;  ///< [K] fp32, finite and > 0
};

/// x + add, per channel.
struct Offset {
  Tensor add;  ///< [K] fp32
};

/// Channel k becomes what channel order[k] was.
struct Permute {
  Tensor order;  ///< [K] int64, a permutation
};

/// Each run of `size` channels in [begin, end) times the orthonormal matrix of hadamard_rows, after its
/// channels were multiplied by `signs`; other channels pass.
struct Hadamard {
  int64_t begin = 0, end = 0;
  int64_t size = 0;  ///< divides end - begin; see kernels/hadamard.h for the sizes that exist
  Tensor signs;      ///< [end - begin] fp32 of -1 and 1, or undefined for 1
};

/// Each run of m channels in [begin, end) times its own orthogonal matrix: x_run blocks[i].
struct Rotate {
  int64_t begin = 0, end = 0;
  Tensor blocks;  ///< [(end - begin) / m, m, m] fp32, orthogonal
};

using OnlineStep = std::variant<Divide, Offset, Permute, Hadamard, Rotate>;

/// The steps of one group's input in order: x / smooth, then `then`. The division has a field of its own
/// because kernels and other programs' files fuse it.
struct OnlineTransform {
  Tensor smooth;                 ///< [K] fp32 > 0 holding bf16 values, or undefined: no division
  std::vector<OnlineStep> then;  ///< usually empty

  OnlineTransform() = default;
  /// A smoothing vector alone; undefined: the identity.
  OnlineTransform(Tensor smooth_) : smooth(std::move(smooth_)) {}
  OnlineTransform(Tensor smooth_, std::vector<OnlineStep> then_)
      : smooth(std::move(smooth_)), then(std::move(then_)) {}

  bool is_identity() const { return !smooth.defined() && then.empty(); }
  /// True: channels are mixed, so that what is known of a channel's sign or range is lost.
  bool mixes_channels() const;
  /// T(x) = x A + c.  @param x  [T, K] fp32 on the CPU.
  Tensor apply(const Tensor& x) const;
  /// x A, without the offsets. Also of fp64, as wide as the steps' own fp32 allows.
  Tensor apply_linear(const Tensor& x) const;
  /// W' [N, K] with x W^T = (x A) W'^T.
  Tensor weight(const Tensor& w) const;
  /// c [K] fp32, or undefined when no step adds one.
  Tensor constant(int64_t channels) const;
  /// A^T G A of G [K, K] fp64: the Gram matrix of x A.
  Tensor gram(const Tensor& g) const;
  /// Bits of all parameters: 32 for each number of a rotation, 1 for each sign, 16 for everything else.
  double bits() const;
};

}  // namespace svdlab
