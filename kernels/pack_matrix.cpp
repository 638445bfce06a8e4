#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e8m0.h"
#include "core/formats/int4.h"
#include "core/formats/uint4.h"
#include "kernels/packed_matrix.h"

namespace svdlab {
namespace {

float decode(NumberFormat format, bool is_unsigned, uint8_t code) {
  if (format == NumberFormat::kFp4E2M1) return fp4_e2m1_decode(code);
  return is_unsigned ? uint4_decode(code) : int4_decode(code);
}

// The e4m3 byte of each 4-bit code.
std::array<uint8_t, 16> e4m3_of_codes(NumberFormat format, bool is_unsigned) {
  std::array<uint8_t, 16> out{};
  for (uint8_t code = 0; code < 16; ++code) out[code] = fp8_e4m3_encode(decode(format, is_unsigned, code));
  return out;
}

// One element of the codes, whatever the layout.
class CodeMemory {
 public:
  explicit CodeMemory(const PackedMatrix& m)
      : m_(m), signed_(e4m3_of_codes(m.format, false)), unsigned_(e4m3_of_codes(m.format, true)) {}

  uint8_t get(int64_t r, int64_t c) const {
    switch (m_.layout) {
      case CodeLayout::kBytes:
        return m_.codes[r * m_.code_stride + c];
      case CodeLayout::kE4M3:
        return code_of_e4m3(r, c);
      case CodeLayout::kNibbles:
      case CodeLayout::kFragments64:
        return m_.codes[nibble(r, c) / 2] >> 4 * (nibble(r, c) % 2) & 0xf;
      case CodeLayout::kSignedFragments64: {
        const auto [word, bits] = signed_place(r, c);
        const int magnitude = static_cast<int>(load(word) >> bits.magnitude & 7);
        return static_cast<uint8_t>((load(word) >> bits.sign & 1 ? -magnitude : magnitude) & 0xf);
      }
    }
    throw Error(Errc::kUnexpected, "unknown code layout");
  }

  void put(uint8_t* codes, int64_t r, int64_t c, uint8_t code) const {
    switch (m_.layout) {
      case CodeLayout::kBytes:
        codes[r * m_.code_stride + c] = code;
        return;
      case CodeLayout::kE4M3:
        codes[r * m_.code_stride + c] = table_of(c)[code & 0xf];
        return;
      case CodeLayout::kNibbles:
      case CodeLayout::kFragments64: {
        uint8_t& byte = codes[nibble(r, c) / 2];
        const int shift = static_cast<int>(4 * (nibble(r, c) % 2));
        byte = static_cast<uint8_t>((byte & ~(0xf << shift)) | (code & 0xf) << shift);
        return;
      }
      case CodeLayout::kSignedFragments64:
        put_signed(codes, r, c, static_cast<int>(int4_decode(code)));
        return;
    }
  }

 private:
  struct SignedPlace {
    int64_t word;  // byte offset
    SignedBits bits;
  };

  const std::array<uint8_t, 16>& table_of(int64_t c) const {
    return m_.unsigned_from >= 0 && c >= m_.unsigned_from ? unsigned_ : signed_;
  }
  uint8_t code_of_e4m3(int64_t r, int64_t c) const {
    const uint8_t byte = m_.codes[r * m_.code_stride + c];
    const auto& table = table_of(c);
    const auto at = std::find(table.begin(), table.end(), byte);
    SVDLAB_REQUIRE(at != table.end(), Errc::kInput, "unpack: byte ", static_cast<int>(byte), " at (", r, ", ",
                   c, ") is no e4m3 of a code");
    return static_cast<uint8_t>(at - table.begin());
  }
  int64_t nibble(int64_t r, int64_t c) const {
    return m_.layout == CodeLayout::kNibbles ? 2 * r * m_.code_stride + c : fragment_nibble(r, c, m_.cols);
  }
  SignedPlace signed_place(int64_t r, int64_t c) const {
    const int64_t nibble = fragment_nibble(r, c, m_.cols);
    return {nibble / 8 * 4, signed_fragment_bits(static_cast<int>(nibble % 8))};
  }
  uint32_t load(int64_t word) const { return load_word(m_.codes + word); }

  static uint32_t load_word(const uint8_t* p) { return p[0] | p[1] << 8 | p[2] << 16 | uint32_t{p[3]} << 24; }

  void put_signed(uint8_t* codes, int64_t r, int64_t c, int value) const {
    SVDLAB_REQUIRE(value >= -7, Errc::kConfig, "pack: code -8 at (", r, ", ", c, ") has no place in ",
                   to_string(m_.layout), "; weights use -7 to 7");
    const auto [word, bits] = signed_place(r, c);
    uint32_t x = load_word(codes + word) & ~(7u << bits.magnitude | 1u << bits.sign);
    x |= static_cast<uint32_t>(std::abs(value)) << bits.magnitude | static_cast<uint32_t>(value < 0)
                                                                        << bits.sign;
    for (int i = 0; i < 4; ++i) codes[word + i] = static_cast<uint8_t>(x >> 8 * i);
  }

  PackedMatrix m_;
  std::array<uint8_t, 16> signed_, unsigned_;
};

int64_t scale_offset(const PackedMatrix& m, int64_t r, int64_t g) {
  return scale_size(m.scale) *
         (scales_are_group_major(m.scale) ? g * m.scale_stride + r : r * m.scale_stride + g);
}

float load_scale(const PackedMatrix& m, int64_t r, int64_t g) {
  const uint8_t* p = m.scales + scale_offset(m, r, g);
  float value;
  uint16_t half;
  switch (m.scale) {
    case ScaleFormat::kFp32:
      std::memcpy(&value, p, sizeof value);
      return value;
    case ScaleFormat::kBf16:
      std::memcpy(&half, p, sizeof half);
      return bf16_decode(half);
    case ScaleFormat::kE4M3:
      return fp8_e4m3_decode(*p);
    case ScaleFormat::kE8M0:
      return fp8_e8m0_decode(*p);
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

void store_scale(const PackedOutput& m, int64_t r, int64_t g, float scale) {
  uint8_t* p = m.scales + scale_offset(m, r, g);
  const uint16_t half = bf16_encode(scale);
  switch (m.scale) {
    case ScaleFormat::kFp32:
      std::memcpy(p, &scale, sizeof scale);
      break;
    case ScaleFormat::kBf16:
      std::memcpy(p, &half, sizeof half);
      break;
    case ScaleFormat::kE4M3:
      *p = fp8_e4m3_encode(scale);
      break;
    case ScaleFormat::kE8M0:
      *p = fp8_e8m0_encode_floor(scale);
      break;
  }
  SVDLAB_REQUIRE(load_scale(m, r, g) == scale, Errc::kInput, "pack: scale(", r, ", ", g, ") = ", scale,
                 " is not a value of its ", scale_size(m.scale), "-byte format");
}

float power_at_or_below(float scale) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scale) & 0x7f800000u);
}

}  // namespace

void pack_into(const CodedMatrix& q, const PackedOutput& out) {
  check_coded(q, "pack");
  check_packed(out, "pack");
  SVDLAB_REQUIRE(q.rows() == out.rows && q.cols() == out.cols && q.group == out.group, Errc::kInput,
                 "pack: [", q.rows(), ", ", q.cols(), "] in groups of ", q.group, " into [", out.rows, ", ",
                 out.cols, "] in groups of ", out.group);
  SVDLAB_REQUIRE(q.format == NumberFormat::kUint4
                     ? out.format == NumberFormat::kInt4 && out.unsigned_from == 0
                     : out.format == q.format,
                 Errc::kInput, "pack: the formats differ; uint4 is int4 with unsigned_from 0");
  const CodeMemory memory(out);
  for (int64_t r = 0; r < out.rows; ++r) {
    for (int64_t c = 0; c < out.cols; ++c) memory.put(out.codes, r, c, q.codes(r, c));
    float largest = 0;
    for (int64_t g = 0; g < out.groups(); ++g) {
      store_scale(out, r, g, q.scale_row(r)[g]);
      largest = std::max(largest, q.scale_row(r)[g]);
    }
    if (out.row_powers) out.row_powers[r] = power_at_or_below(largest);
  }
}

PackedBuffer pack_matrix(const CodedMatrix& q, CodeLayout layout, ScaleFormat scale, int64_t unsigned_from) {
  const bool is_unsigned = q.format == NumberFormat::kUint4;
  PackedBuffer out({.format = is_unsigned ? NumberFormat::kInt4 : q.format,
                    .layout = layout,
                    .scale = scale,
                    .rows = q.rows(),
                    .cols = q.cols(),
                    .group = q.group,
                    .unsigned_from = is_unsigned ? 0 : unsigned_from,
                    .tensor_scale = q.tensor_scale});
  pack_into(q, out.output());
  return out;
}

UnpackedMatrix unpack_matrix(const PackedMatrix& m) {
  check_packed(m, "unpack");
  UnpackedMatrix out{m.rows, m.cols, m.group, m.unsigned_from, m.format, m.tensor_scale, {}, {}};
  out.codes.reserve(m.rows * m.cols);
  out.scales.reserve(m.rows * m.groups());
  const CodeMemory memory(m);
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) out.codes.push_back(memory.get(r, c));
    for (int64_t g = 0; g < m.groups(); ++g) out.scales.push_back(load_scale(m, r, g));
  }
  return out;
}

CodedMatrix UnpackedMatrix::columns(int64_t begin, int64_t end) const {
  const bool is_unsigned = unsigned_from >= 0 && begin >= unsigned_from;
  SVDLAB_REQUIRE(0 <= begin && begin < end && end <= cols && begin % group == 0 && end % group == 0 &&
                     (is_unsigned || unsigned_from < 0 || end <= unsigned_from),
                 Errc::kUnexpected, "unpacked columns [", begin, ", ", end, ") of ", cols, " in groups of ",
                 group, ", unsigned from ", unsigned_from);
  const int64_t groups = cols / group;
  return {.format = is_unsigned ? NumberFormat::kUint4 : format,
          .group = group,
          .codes = {codes.data() + begin, rows, end - begin, cols},
          .scales = {scales.data() + begin / group, rows, (end - begin) / group, groups},
          .tensor_scale = tensor_scale};
}

}  // namespace svdlab
