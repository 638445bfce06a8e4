#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/ir/linear.h"
#include "core/ir/online.h"
#include "core/ir/scheme.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// A quantized matrix, canonical and row-major; packing for a kernel or a file is a pure function of it.
/// value(r, c) = decode(codes(r, c)) * scales(r, c / group) * tensor_scale, where kAffine decodes to
/// code - zeros(r, c / group) and kCodebook to codebook[code].
struct QuantizedTensor {
  TensorScheme scheme;
  Tensor codes;   ///< [rows, cols] uint8, one code a byte: int8 and int4 as two's complement (int4 in the
                  ///< low nibble, high nibble 0), uint4, nf4 index, e2m1 bits, affine code, codebook index
  Tensor scales;  ///< [rows, groups] fp32 holding values of scheme.scale; [1, 1] for kTensor
  float tensor_scale = 1.0f;  ///< scheme.two_level only
  Tensor zeros = {};          ///< kAffine: shaped like scales, fp32
  Tensor codebook = {};       ///< kCodebook: [2^bits or fewer] fp32, ascending in [-1, 1]

  int64_t rows() const { return codes.size(0); }
  int64_t cols() const { return codes.size(1); }
  double bits() const;  ///< stored size in bits: codes + scales + tensor scale
};

/// fp32 [rows, cols]; the meaning of a QuantizedTensor, one for all formats.
Tensor dequantize(const QuantizedTensor& q);

/// Low-bit branch: Q_a(T(x)) W^T.
struct LowBitBranch {
  QuantizedTensor weight;                       ///< [out_features, in_features]
  std::optional<ActivationScheme> activations;  ///< absent: x_hat is used as it is
  std::vector<Segment> segments;  ///< each K range is quantized on its own, shifted behind GELU if asked
  Tensor ranges = {};  ///< Range::kStatic: [segments, 2] fp32, scale and zero point of each segment's input
  double bits() const { return weight.bits() + (ranges.defined() ? 32.0 * ranges.numel() : 0.0); }
};

/// Low-rank branch: (T(x) down^T) up^T, factors kept in bf16 (held as fp32 values).
struct LowRankBranch {
  Tensor down;      ///< [rank, in_features], shared by reference inside a branch partition
  Tensor up;        ///< [out_features, rank]
  int sharers = 1;  ///< linears that share `down`; each counts 1/sharers of it as its own storage
  int64_t rank() const { return down.size(0); }
  double bits() const {
    return 16.0 * (static_cast<double>(down.numel()) / sharers + static_cast<double>(up.numel()));
  }
};

/// Some weights in 16 bit, in rows of compressed storage (CSR): x W^T, on the untransformed input.
struct SparseBranch {
  int64_t in_features = 0;
  Tensor starts;         ///< [out_features + 1] int64: row n holds elements starts[n] .. starts[n + 1] - 1
  Tensor columns;        ///< [count] int64, ascending in each row
  Tensor values;         ///< [count] fp32 holding bf16 values
  double bits() const {  ///< values 16, columns 16 (32 from 2^16 channels on), starts 32
    const double index = in_features > 65536 ? 32 : 16;
    return (16.0 + index) * static_cast<double>(values.numel()) + 32.0 * static_cast<double>(starts.numel());
  }
};

/// Columns in 16 bit: x[columns] W^T, on the untransformed input. The other branches see 0 there.
struct ColumnsBranch {
  Tensor columns;  ///< [count] int64, ascending; all of them when `threshold` > 0
  Tensor weight;   ///< [out_features, count] fp32 holding bf16 values
  /// > 0: at each call only the columns are taken in which any token's magnitude reaches it; the low-bit
  /// branch then has weights for every column.
  double threshold = 0;
  double bits() const {
    return 16.0 * static_cast<double>(weight.numel()) + (threshold > 0 ? 0.0 : 16.0 * columns.numel());
  }
};

/// sum over k of left[k] (x) right[k], on the untransformed input.
struct KroneckerBranch {
  Tensor left;   ///< [terms, n1, k1] fp32 holding bf16 values
  Tensor right;  ///< [terms, n2, k2], n1 n2 = out_features, k1 k2 = in_features
  double bits() const { return 16.0 * static_cast<double>(left.numel() + right.numel()); }
};

using Branch = std::variant<LowBitBranch, LowRankBranch, SparseBranch, ColumnsBranch, KroneckerBranch>;

struct TimestepVariant;

/// The one artefact of compression: y = bias + sum of the branches' outputs, rounded once to the 16-bit type
/// at the end; everything between is fp32. Low-bit and low-rank branches see T(x), the online transform of x;
/// what its constant adds to y is already taken out of `bias`.
struct CompressedLinear {
  std::string name;
  Tensor smooth;                 ///< T divides by it first: [in_features] fp32 (values of bf16), or undefined
  std::vector<OnlineStep> then;  ///< further steps of T, in order
  int smooth_sharers = 1;  ///< linears of the group that share T; each counts 1/smooth_sharers of its storage
  Tensor bias;             ///< [out_features] fp32 or undefined
  std::vector<Branch> branches;
  /// A linear of its own for each range of timesteps, ascending, in place of everything above but the name;
  /// usually empty. All of them count as storage.
  std::vector<TimestepVariant> ranges;

  OnlineTransform online() const { return {smooth, then}; }
  int64_t out_features() const;
  int64_t in_features() const;
  const LowBitBranch* low_bit() const;    ///< nullptr when absent
  const LowRankBranch* low_rank() const;  ///< nullptr when absent
  /// The dense matrix [out, in] that acts on the untransformed x when activations are not quantized. Of
  /// columns that are chosen by the tokens: as when none is. kConfig where there is one for each range.
  Tensor effective_weight() const;
  double bits() const;  ///< weights' storage: branches and T, not bias
  double bits_per_weight() const { return bits() / (static_cast<double>(out_features()) * in_features()); }
};

/// Serves timesteps above the range before and up to `upper`; the last one also what is above.
struct TimestepVariant {
  double upper = 0;
  CompressedLinear linear;
};

/// Compressed layers of one model, by linear name; a linear that is absent runs in 16 bit.
struct CompressedModel {
  std::map<std::string, CompressedLinear> linears;
};

}  // namespace svdlab
