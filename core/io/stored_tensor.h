#pragma once
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/ir/scheme.h"

namespace svdlab {

// How tensors of a compressed linear lie in a safetensors file. Nothing is lost: what is read is bit for bit
// what was written, and a value that its stored type cannot hold is refused when it is written.

/// fp32 values as F32, BF16, F8_E4M3 or F8_E8M0. Throws kUnexpected naming the tensor and the first element
/// that is not finite or no value of `format`.
StWrite store_values(const std::string& name, const Tensor& values, ScaleFormat format);
/// fp32 of shape `shape`; kInput when the stored type, shape or a value (not finite) is wrong.
Tensor load_values(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape,
                   ScaleFormat format);

/// Codes [rows, cols] uint8, one a byte, as U8 [rows, ceil(cols / 2)], two a byte with the even column in the
/// low nibble (an odd row ends with an empty high nibble); int8 as I8 [rows, cols], codes of more than 4
/// `bits` as U8 [rows, cols].
StWrite store_codes(const std::string& name, const Tensor& codes, NumberFormat format, int bits = 4);
/// The opposite of store_codes; kInput as for load_values, and for an empty nibble that is not 0.
Tensor load_codes(const SafetensorsFile& file, const std::string& name, int64_t rows, int64_t cols,
                  NumberFormat format, int bits = 4);

}  // namespace svdlab
