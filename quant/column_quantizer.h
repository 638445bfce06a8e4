#pragma once
#include <vector>

#include "core/ir/quantize.h"

namespace svdlab {

/// Encodes the columns of a matrix one by one, in any order, against scales that are already fixed.
class ColumnQuantizer {
 public:
  /// Takes the scales of `q` and overwrites its codes; `q` must outlive this object.
  explicit ColumnQuantizer(QuantizedTensor& q);
  /// Stores the codes of column `c` and returns their values, fp32 [rows].
  /// @param values  [rows] fp32; a NaN or infinity throws kInput.
  Tensor quantize(int64_t c, const Tensor& values);

 private:
  CodedMatrix whole_;
  MatrixView<uint8_t> codes_;
  QuantizeSpec spec_;
  std::vector<float> scales_;    // of the column at hand, by row
  std::vector<float> zeros_;     // likewise; empty without
  std::vector<uint8_t> column_;  // its codes
};

}  // namespace svdlab
