#pragma once
#include <cstdint>
#include <string>

#include "core/ir/tensor.h"

namespace svdlab {

/// What calibration keeps of the gradients g [O, I] of one linear's weight, one g for each sample: sums of
/// g^2, the diagonal of the Fisher information matrix, as means over its columns and rows; of few linears at
/// a time also in full. Additive over shards up to fp64 rounding.
struct WeightFisher {
  int64_t samples = 0;
  Tensor rows;  ///< [O] fp64: sum over samples of the mean of g^2 over columns
  Tensor cols;  ///< [I] fp64: sum over samples of the mean of g^2 over rows
  Tensor full;  ///< [O, I] fp64: sum over samples of g^2; undefined where nobody asked for it

  /// @param g  [O, I] fp32 or fp64.  @param keep_full  the same in every call.
  void add(const Tensor& g, bool keep_full);
  /// Throws kInput when shapes differ or one side alone has `full`.
  void merge(const WeightFisher& other);
  /// Throws kInput naming `linear` when anything is NaN or infinite, or when no sample was seen.
  void require_finite(const std::string& linear) const;

  Tensor row_mean() const { return rows / static_cast<double>(samples); }   ///< [O] mean over samples
  Tensor col_mean() const { return cols / static_cast<double>(samples); }   ///< [I]
  Tensor full_mean() const { return full / static_cast<double>(samples); }  ///< [O, I]
};

/// What a stage wants to know about gradients; each includes those before it.
enum class FisherDetail { kNone, kMeans, kFull };

}  // namespace svdlab
