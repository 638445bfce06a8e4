#include "core/io/safetensors_dtype.h"

#include <algorithm>
#include <limits>

#include "core/base/checked.h"

namespace svdlab {
namespace {

struct Row {
  StDtype dtype;
  const char* name;
  int bits;
};

constexpr Row kRows[] = {
    {StDtype::kBool, "BOOL", 8},      {StDtype::kF4, "F4", 4},          {StDtype::kF6E2M3, "F6_E2M3", 6},
    {StDtype::kF6E3M2, "F6_E3M2", 6}, {StDtype::kU8, "U8", 8},          {StDtype::kI8, "I8", 8},
    {StDtype::kF8E5M2, "F8_E5M2", 8}, {StDtype::kF8E4M3, "F8_E4M3", 8}, {StDtype::kF8E8M0, "F8_E8M0", 8},
    {StDtype::kI16, "I16", 16},       {StDtype::kU16, "U16", 16},       {StDtype::kF16, "F16", 16},
    {StDtype::kBf16, "BF16", 16},     {StDtype::kI32, "I32", 32},       {StDtype::kU32, "U32", 32},
    {StDtype::kF32, "F32", 32},       {StDtype::kF64, "F64", 64},       {StDtype::kI64, "I64", 64},
    {StDtype::kU64, "U64", 64},       {StDtype::kC64, "C64", 64},
};

constexpr bool rows_follow_the_enum() {
  for (size_t i = 0; i < std::size(kRows); ++i)
    if (kRows[i].dtype != static_cast<StDtype>(i)) return false;
  return true;
}
static_assert(rows_follow_the_enum());

const Row& row_of(StDtype dtype) { return kRows[static_cast<size_t>(dtype)]; }

}  // namespace

std::string to_string(StDtype dtype) { return row_of(dtype).name; }

int bits_of(StDtype dtype) { return row_of(dtype).bits; }

std::optional<StDtype> dtype_named(std::string_view name) {
  for (const Row& row : kRows)
    if (name == row.name) return row.dtype;
  return {};
}

uint64_t checked_bytes(StDtype dtype, const std::vector<int64_t>& shape, const std::string& what) {
  auto bits = static_cast<uint64_t>(bits_of(dtype));
  bool empty = false;
  // Sizes of 0 are left out of the product: strides are computed from the others, and must not overflow
  // either.
  for (const int64_t size : shape) {
    SVDLAB_REQUIRE(size >= 0, Errc::kInput, what, ": negative size ", size, " in shape");
    empty |= size == 0;
    bits = checked_mul(bits, static_cast<uint64_t>(std::max<int64_t>(size, 1)), what.c_str());
  }
  SVDLAB_REQUIRE(bits <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()), Errc::kInput, what, ": ",
                 bits, " bits are more than 2^63 - 1");
  if (empty) return 0;
  SVDLAB_REQUIRE(bits % 8 == 0, Errc::kInput, what, ": ", bits, " bits of ", to_string(dtype),
                 " do not fill whole bytes");
  return bits / 8;
}

std::string printable(std::string_view text) {
  constexpr size_t kShown = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += {'\\', 'x', kHex[byte >> 4], kHex[byte & 0xf]};
    }
  }
  return out + (text.size() > kShown ? "...\"" : "\"");
}

}  // namespace svdlab
