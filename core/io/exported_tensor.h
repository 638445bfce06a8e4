#pragma once
#include <string>
#include <vector>

#include "core/io/safetensors.h"

namespace svdlab {

// Tensors of files that other programs read.

bool has_tensor(const SafetensorsFile& file, const std::string& name);

/// fp32 values as BF16 (rounded) or, e4m3_tensor, as F8_E4M3 (exact).
StWrite bf16_tensor(const std::string& name, const Tensor& values);
StWrite e4m3_tensor(const std::string& name, const Tensor& bits);

/// The tensor, of this type and shape and with finite values, else kInput with what it is. F8_E4M3 comes as
/// bits.
Tensor checked_tensor(const SafetensorsFile& file, const std::string& name, StDtype dtype,
                      const std::vector<int64_t>& shape);

/// fp32 values of e4m3 -> bits, uint8; and back. Bits of a NaN throw kInput naming `what`.
Tensor e4m3_bits(const Tensor& values);
Tensor e4m3_values(const Tensor& bits, const std::string& what);

/// `t` in the upper left corner of a matrix [rows, columns] of `value`.
Tensor enlarged(const Tensor& t, int64_t rows, int64_t columns, double value);
/// `t` with rows and columns added up to multiples of `rows` and `columns`.
Tensor padded(const Tensor& t, int64_t rows, int64_t columns, double value);

/// Drops what does nothing at the end of the factors [R, K] and [N, R]: padding.
void trim_rank(Tensor& down, Tensor& up);

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

}  // namespace svdlab
