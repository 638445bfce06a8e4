#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace svdlab {

/// Every dtype of the safetensors format. F4, F6_* are sub-byte: their bits must fill whole bytes.
enum class StDtype {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBf16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64,
  kC64
};

std::string to_string(StDtype dtype);
int bits_of(StDtype dtype);
/// "F8_E4M3" and so on; nothing when the format has no such dtype.
std::optional<StDtype> dtype_named(std::string_view name);

/// Bytes of a tensor; kInput naming `what` when a size is negative, the product overflows or does not fill
/// whole bytes.
uint64_t checked_bytes(StDtype dtype, const std::vector<int64_t>& shape, const std::string& what);

/// A text from a file, in quotes and on one line: control characters and non-ASCII as \xNN, cut after 80
/// characters.
std::string printable(std::string_view text);

}  // namespace svdlab
