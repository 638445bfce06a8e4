#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/safetensors.h"

namespace svdlab {

/// "F8_E4M3" and so on; nothing when the format has no such dtype.
std::optional<StDtype> dtype_named(std::string_view name);

/// Bytes of a tensor; kInput naming `what` when a size is negative, the product overflows or does not fill
/// whole bytes.
uint64_t checked_bytes(StDtype dtype, const std::vector<int64_t>& shape, const std::string& what);

/// The torch dtype that holds these values; nothing for the dtypes that torch 1.13 lacks and we carry as raw
/// bytes.
std::optional<at::ScalarType> torch_dtype(StDtype dtype);
/// The opposite; nothing for a torch dtype that the format lacks.
std::optional<StDtype> dtype_of(at::ScalarType type);

/// A text from a file, in quotes and on one line: control characters and non-ASCII as \xNN, cut after 80
/// characters.
std::string printable(std::string_view text);

}  // namespace svdlab
