#pragma once
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "core/ir/linear.h"
#include "core/ir/scheme.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// A quantized matrix, canonical and row-major; packing for a kernel or a file is a pure function of it.
/// value(r, c) = decode(codes(r, c)) * scales(r, c / group) * tensor_scale.
struct QuantizedTensor {
  TensorScheme scheme;
  Tensor codes;   ///< [rows, cols] uint8, one code a byte: int8 and int4 as two's complement (int4 in the
                  ///< low nibble, high nibble 0), uint4, nf4 index, e2m1 bits
  Tensor scales;  ///< [rows, groups] fp32 holding values of scheme.scale; [1, 1] for kTensor
  float tensor_scale = 1.0f;  ///< scheme.two_level only

  int64_t rows() const { return codes.size(0); }
  int64_t cols() const { return codes.size(1); }
  double bits() const;  ///< stored size in bits: codes + scales + tensor scale
};

/// fp32 [rows, cols]; the meaning of a QuantizedTensor, one for all formats.
Tensor dequantize(const QuantizedTensor& q);

/// Low-bit branch: Q_a(x_hat) W^T with x_hat the transformed input.
struct LowBitBranch {
  QuantizedTensor weight;                       ///< [out_features, in_features]
  std::optional<ActivationScheme> activations;  ///< absent: x_hat is used as it is
  std::vector<Segment> segments;  ///< each K range is quantized on its own, shifted behind GELU if asked
  double bits() const { return weight.bits(); }
};

/// Low-rank branch: (x_hat down^T) up^T, factors kept in bf16 (held as fp32 values).
struct LowRankBranch {
  Tensor down;      ///< [rank, in_features], shared by reference inside a branch partition
  Tensor up;        ///< [out_features, rank]
  int sharers = 1;  ///< linears that share `down`; each counts 1/sharers of it as its own storage
  int64_t rank() const { return down.size(0); }
  double bits() const {
    return 16.0 * (static_cast<double>(down.numel()) / sharers + static_cast<double>(up.numel()));
  }
};

using Branch = std::variant<LowBitBranch, LowRankBranch>;

/// The one artefact of compression: y = bias + sum over branches of branch(x / smooth), rounded once to the
/// 16-bit type at the end; everything between is fp32.
struct CompressedLinear {
  std::string name;
  Tensor smooth;  ///< [in_features] fp32 (values of bf16), or undefined: no transform
  int smooth_sharers =
      1;        ///< linears of the group that share `smooth`; each counts 1/smooth_sharers of its storage
  Tensor bias;  ///< [out_features] fp32 or undefined
  std::vector<Branch> branches;

  int64_t out_features() const;
  int64_t in_features() const;
  const LowBitBranch* low_bit() const;    ///< nullptr when absent
  const LowRankBranch* low_rank() const;  ///< nullptr when absent
  /// The dense matrix [out, in] that acts on the untransformed x when activations are not quantized.
  Tensor effective_weight() const;
  double bits() const;  ///< weights' storage: branches and smooth, not bias
  double bits_per_weight() const { return bits() / (static_cast<double>(out_features()) * in_features()); }
};

/// Compressed layers of one model, by linear name; a linear that is absent runs in 16 bit.
struct CompressedModel {
  std::map<std::string, CompressedLinear> linears;
};

}  // namespace svdlab
