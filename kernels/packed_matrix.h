#pragma once
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/coded_matrix.h"

namespace svdlab {

/// How the codes of a [rows, cols] matrix lie in memory. Only kBytes holds 8-bit codes; the others hold 4-bit
/// ones.
enum class CodeLayout {
  kBytes,    ///< row-major, one code a byte
  kNibbles,  ///< row-major, two codes a byte, the even column in the low nibble
  kE4M3,     ///< row-major, a byte a code: the e4m3 number that equals what the code stands for; exact for
             ///< int4, uint4 and e2m1
  /// Weights of the Hopper loops, in the order in which a warpgroup of 128 threads holds an 8-bit operand of
  /// wgmma m64k32 in registers. Tiles of 64 rows and 64 columns (2048 bytes), column tiles innermost; rows
  /// are padded to 64 with code 0. Thread t (lane l = t % 32) has bytes 16 t .. 16 t + 15 of the tile, as
  /// four little-endian words; nibble e of word 2 s + i is
  ///   row 16 (t / 32) + l / 4 + 8 i, column 32 s + 16 (e / 4) + 4 (l % 4) + e % 4
  /// so that one word becomes two 8-bit registers, its low half the one of the lower columns.
  kFragments64,
  /// The same tiles, threads, words and elements, for int4 codes -7..7 as sign and magnitude, so that one AND
  /// gives four e4m3 bytes sign | magnitude, each worth value * 2^-9 (e4m3's subnormals and first binade are
  /// linear). Element e of a word: e < 4 has its magnitude from bit 8 e and its sign at bit 8 e + 7; e >= 4,
  /// with b = e - 4, from bit 8 b + 4 and at bit 8 ((b + 1) % 4) + 3, which is the same after rotating the
  /// word right by 4. The sign of 0 is 0.
  kSignedFragments64,
};

inline constexpr int64_t kFragmentTile = 64;         ///< rows and columns of a tile of kFragments64
inline constexpr int64_t kFragmentTileBytes = 2048;  ///< its size
inline constexpr int64_t kPackedAlignment = 16;      ///< bytes: codes, scales, and the stride of both

/// A quantized matrix as the fused kernels read it; the value of an element is CodedMatrix's. Scales are
/// stored in their own format: fp32 and bf16 ones with the rows of one group side by side, scale(r, g) at
/// scales[g * scale_stride + r]; e4m3 and e8m0 ones with the groups of one row side by side, at
/// scales[r * scale_stride + g].
/// @tparam Byte  uint8_t, or const uint8_t for an input.
template <class Byte>
struct PackedView {
  NumberFormat format = NumberFormat::kInt4;
  CodeLayout layout = CodeLayout::kNibbles;
  ScaleFormat scale = ScaleFormat::kBf16;
  int64_t rows = 0, cols = 0;
  int64_t group = 64;          ///< columns that share a scale; divides the columns
  int64_t unsigned_from = -1;  ///< kInt4: first column whose codes are uint4's, a multiple of 64; -1: none
  Byte* codes = nullptr;       ///< aligned to kPackedAlignment, as is `scales`
  int64_t code_stride = 0;     ///< bytes from row to row, a multiple of kPackedAlignment; fragments: 0
  Byte* scales = nullptr;      ///< bytes of the scales
  int64_t scale_stride = 0;    ///< elements, see above; its bytes are a multiple of kPackedAlignment
  float tensor_scale = 1.0f;   ///< two-level nvfp4
  /// fp32 [rows], or nullptr: the largest scale of the row rounded down to a power of two. Dividing by it is
  /// exact and lets a loop keep the row's scales in fp16 (bf16 scales have 8 significant bits, fp16 has 11).
  std::conditional_t<std::is_const_v<Byte>, const float*, float*> row_powers = nullptr;

  int64_t groups() const { return cols / group; }
  operator PackedView<const Byte>() const requires(!std::is_const_v<Byte>) {
    return {format, layout,      scale,  rows,         cols,         group,     unsigned_from,
            codes,  code_stride, scales, scale_stride, tensor_scale, row_powers};
  }
};

using PackedMatrix = PackedView<const uint8_t>;
using PackedOutput = PackedView<uint8_t>;

/// Which nibble (byte * 2 + half) of kFragments64 holds the code of an element of a matrix of `cols` columns.
constexpr int64_t fragment_nibble(int64_t row, int64_t col, int64_t cols) {
  const int64_t tile = row / kFragmentTile * (cols / kFragmentTile) + col / kFragmentTile;
  const int64_t r = row % kFragmentTile, c = col % kFragmentTile;
  const int64_t thread = 32 * (r / 16) + 4 * (r % 8) + c / 4 % 4;
  const int64_t word = 2 * (c / 32) + r / 8 % 2;
  const int64_t nibble = 4 * (c / 16 % 2) + c % 4;
  return 2 * kFragmentTileBytes * tile + 32 * thread + 8 * word + nibble;
}

/// True for kFragments64 and kSignedFragments64.
constexpr bool is_fragments(CodeLayout layout) {
  return layout == CodeLayout::kFragments64 || layout == CodeLayout::kSignedFragments64;
}

/// Bits of element e (0..7) within its 32-bit word of kSignedFragments64: where its magnitude starts, where
/// its sign is.
struct SignedBits {
  int magnitude, sign;
};
constexpr SignedBits signed_fragment_bits(int e) {
  if (e < 4) return {8 * e, 8 * e + 7};
  return {8 * (e - 4) + 4, 8 * ((e - 3) % 4) + 3};
}

/// Bytes from row to row (0 for fragments) and of all codes, with the least padding.
int64_t packed_code_stride(CodeLayout layout, int64_t cols);
int64_t packed_code_bytes(CodeLayout layout, int64_t rows, int64_t cols);
/// True for the scale formats whose rows lie side by side.
bool scales_are_group_major(ScaleFormat format);
int64_t scale_size(ScaleFormat format);  ///< bytes of one scale
/// Elements, with the least padding, and the bytes of all scales.
int64_t packed_scale_stride(ScaleFormat format, int64_t rows, int64_t groups);
int64_t packed_scale_bytes(ScaleFormat format, int64_t rows, int64_t groups);

/// Memory for a packed matrix on the CPU. What padding holds is 0.
struct PackedBuffer {
  PackedMatrix shape;  ///< without pointers
  std::vector<uint8_t> codes, scales;
  std::vector<float> row_powers;

  /// @param shape  formats, layout, rows, cols, group, unsigned_from; strides are set to the least ones.
  PackedBuffer(const PackedMatrix& shape);
  PackedMatrix view() const;
  PackedOutput output();
};

/// Codes, scales and, where there is room, row_powers of `q` in the layout of `out`, whose shape must be that
/// of `q`. A uint4 `q` becomes int4 with unsigned_from 0. Errors as pack_matrix.
void pack_into(const CodedMatrix& q, const PackedOutput& out);

/// Codes and scales of `q` in another layout, in memory of its own. Throws kConfig when the layout cannot
/// hold the format (nf4 in kE4M3, 8 bits in a nibble) or columns do not fill its tiles, kInput when a scale
/// is not a value of `scale`.
PackedBuffer pack_matrix(const CodedMatrix& q, CodeLayout layout, ScaleFormat scale,
                         int64_t unsigned_from = -1);

/// What pack_matrix had been given.
struct UnpackedMatrix {
  int64_t rows = 0, cols = 0, group = 0, unsigned_from = -1;
  NumberFormat format = NumberFormat::kInt4;
  float tensor_scale = 1.0f;
  std::vector<uint8_t> codes;  ///< [rows, cols], one a byte, high nibble 0 for 4-bit formats
  std::vector<float> scales;   ///< [rows, cols / group]

  /// Columns [begin, end), both multiples of the group, as codes of `format`, or of uint4 from
  /// `unsigned_from` on: a range must not straddle it.
  CodedMatrix columns(int64_t begin, int64_t end) const;
};
UnpackedMatrix unpack_matrix(const PackedMatrix& m);

/// Throws kInput, with all the numbers, when sizes, strides, alignment or layout do not fit together; `what`
/// starts the message.
void check_packed(const PackedMatrix& m, const char* what);

std::string to_string(CodeLayout layout);

}  // namespace svdlab
