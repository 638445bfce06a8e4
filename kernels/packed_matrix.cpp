#include "kernels/packed_matrix.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/formats/nibbles.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

int64_t rounded_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

bool layout_holds(CodeLayout layout, NumberFormat format) {
  switch (layout) {
    case CodeLayout::kBytes:
      return format == NumberFormat::kInt8;
    case CodeLayout::kE4M3:
      return format == NumberFormat::kInt4 || format == NumberFormat::kFp4E2M1;
    case CodeLayout::kNibbles:
    case CodeLayout::kFragments64:
      return format == NumberFormat::kInt4 || format == NumberFormat::kNf4 ||
             format == NumberFormat::kFp4E2M1;
    case CodeLayout::kSignedFragments64:
      return format == NumberFormat::kInt4;
  }
  throw Error(Errc::kUnexpected, "unknown code layout");
}

void check_codes(const PackedMatrix& m, const char* what) {
  SVDLAB_REQUIRE(layout_holds(m.layout, m.format), Errc::kConfig, what, ": ", format_name(m.format),
                 " codes have no layout ", to_string(m.layout),
                 m.format == NumberFormat::kUint4 ? "; write them as int4 with unsigned_from" : "");
  const int64_t step = is_fragments(m.layout) ? kFragmentTile : 2;
  SVDLAB_REQUIRE(m.cols % step == 0, Errc::kInput, what, ": ", m.cols, " columns, the layout ",
                 to_string(m.layout), " needs a multiple of ", step);
  const int64_t least = packed_code_stride(m.layout, m.cols) == 0 ? 0
                        : m.layout == CodeLayout::kNibbles        ? packed_bytes(m.cols)
                                                                  : m.cols;
  SVDLAB_REQUIRE(
      m.code_stride >= least && m.code_stride % kPackedAlignment == 0 && (least != 0 || m.code_stride == 0),
      Errc::kInput, what, ": code stride ", m.code_stride, " bytes for ", m.cols, " columns in ",
      to_string(m.layout), "; it must be ",
      least == 0 ? concat("0") : concat("a multiple of 16 from ", least, " on"));
  const bool can_be_unsigned = m.format == NumberFormat::kInt4 && !is_fragments(m.layout);
  SVDLAB_REQUIRE(
      m.unsigned_from == -1 || (can_be_unsigned && m.unsigned_from >= 0 && m.unsigned_from <= m.cols &&
                                m.unsigned_from % 64 == 0 && m.unsigned_from % m.group == 0),
      Errc::kInput, what, ": unsigned_from ", m.unsigned_from, " for ", m.cols, " columns of ",
      format_name(m.format), " in ", to_string(m.layout),
      "; it must be -1 or a multiple of 64 and of the group within int4 activations");
}

}  // namespace

std::string to_string(CodeLayout layout) {
  switch (layout) {
    case CodeLayout::kBytes:
      return "bytes";
    case CodeLayout::kNibbles:
      return "nibbles";
    case CodeLayout::kE4M3:
      return "e4m3";
    case CodeLayout::kFragments64:
      return "fragments64";
    case CodeLayout::kSignedFragments64:
      return "signed_fragments64";
  }
  throw Error(Errc::kUnexpected, "unknown code layout");
}

int64_t packed_code_stride(CodeLayout layout, int64_t cols) {
  if (is_fragments(layout)) return 0;
  return rounded_up(layout == CodeLayout::kNibbles ? packed_bytes(cols) : cols, kPackedAlignment);
}

int64_t packed_code_bytes(CodeLayout layout, int64_t rows, int64_t cols) {
  if (is_fragments(layout))
    return rounded_up(rows, kFragmentTile) / kFragmentTile * (cols / kFragmentTile) * kFragmentTileBytes;
  return rows * packed_code_stride(layout, cols);
}

bool scales_are_group_major(ScaleFormat format) {
  return format == ScaleFormat::kFp32 || format == ScaleFormat::kBf16;
}

int64_t scale_size(ScaleFormat format) {
  switch (format) {
    case ScaleFormat::kFp32:
      return 4;
    case ScaleFormat::kBf16:
      return 2;
    case ScaleFormat::kE4M3:
    case ScaleFormat::kE8M0:
      return 1;
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

int64_t packed_scale_stride(ScaleFormat format, int64_t rows, int64_t groups) {
  return rounded_up(scales_are_group_major(format) ? rows : groups, kPackedAlignment / scale_size(format));
}

int64_t packed_scale_bytes(ScaleFormat format, int64_t rows, int64_t groups) {
  const int64_t lines = scales_are_group_major(format) ? groups : rows;
  return lines * packed_scale_stride(format, rows, groups) * scale_size(format);
}

PackedBuffer::PackedBuffer(const PackedMatrix& wanted) : shape(wanted) {
  SVDLAB_REQUIRE(shape.rows >= 1 && shape.group >= 1 && shape.cols >= 1 && shape.cols % shape.group == 0,
                 Errc::kInput, "packed matrix: group ", shape.group, " for [", shape.rows, ", ", shape.cols,
                 "]");
  shape.code_stride = packed_code_stride(shape.layout, shape.cols);
  shape.scale_stride = packed_scale_stride(shape.scale, shape.rows, shape.groups());
  codes.resize(packed_code_bytes(shape.layout, shape.rows, shape.cols));
  scales.resize(packed_scale_bytes(shape.scale, shape.rows, shape.groups()));
  row_powers.resize(shape.rows);
}

PackedMatrix PackedBuffer::view() const {
  PackedMatrix out = shape;
  out.codes = codes.data();
  out.scales = scales.data();
  out.row_powers = row_powers.data();
  return out;
}

PackedOutput PackedBuffer::output() {
  return {shape.format,       shape.layout,        shape.scale,      shape.rows,        shape.cols,
          shape.group,        shape.unsigned_from, codes.data(),     shape.code_stride, scales.data(),
          shape.scale_stride, shape.tensor_scale,  row_powers.data()};
}

void check_packed(const PackedMatrix& m, const char* what) {
  SVDLAB_REQUIRE(m.rows >= 1 && m.cols >= 1, Errc::kInput, what, " is [", m.rows, ", ", m.cols, "]");
  SVDLAB_REQUIRE(m.group >= 1 && m.cols % m.group == 0, Errc::kInput, what, ": group ", m.group,
                 " does not divide ", m.cols, " columns");
  check_codes(m, what);
  const int64_t line = scales_are_group_major(m.scale) ? m.rows : m.groups();
  SVDLAB_REQUIRE(m.scale_stride >= line && m.scale_stride * scale_size(m.scale) % kPackedAlignment == 0,
                 Errc::kInput, what, ": scale stride ", m.scale_stride, " for ", line, " scales of ",
                 scale_size(m.scale), " bytes; its bytes must be a multiple of ", kPackedAlignment);
  check_pointer(m.codes, concat(what, ": codes").c_str());
  check_pointer(m.scales, concat(what, ": scales").c_str());
}

}  // namespace svdlab
