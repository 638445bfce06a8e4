#include "kernels/bench/problems.h"

#include <algorithm>

namespace svdlab::bench {
namespace {

constexpr float kScalePower = 0x1p-7f;  // of fill_scales

template <class T>
T* as(const CudaBuffer& buffer) {
  return static_cast<T*>(buffer.data());
}

HalfMatrix halves(const CudaBuffer& buffer, int64_t rows, int64_t cols) {
  return {HalfType::kBf16, {as<const uint16_t>(buffer), rows, cols}};
}

struct ScaleOf {
  ScaleFormat format;
  int64_t group;
};
ScaleOf scale_of(NumberFormat format, int64_t k) {
  if (format == NumberFormat::kFp4E2M1) return {ScaleFormat::kE4M3, 16};
  if (format == NumberFormat::kInt8) return {ScaleFormat::kFp32, k};
  return {ScaleFormat::kBf16, 64};
}

int64_t code_bytes(CodeLayout layout, int64_t rows, int64_t cols) {
  return packed_code_bytes(layout, rows, cols);
}

int64_t scale_bytes(NumberFormat format, int64_t rows, int64_t cols) {
  const ScaleOf s = scale_of(format, cols);
  return packed_scale_bytes(s.format, rows, cols / s.group);
}

// A packed matrix over buffers of the least sizes.
PackedOutput packed(NumberFormat format, CodeLayout layout, int64_t rows, int64_t cols,
                    const CudaBuffer& codes, const CudaBuffer& scales, const CudaBuffer* powers) {
  const ScaleOf s = scale_of(format, cols);
  return {.format = format == NumberFormat::kUint4 ? NumberFormat::kInt4 : format,
          .layout = layout,
          .scale = s.format,
          .rows = rows,
          .cols = cols,
          .group = s.group,
          .unsigned_from = format == NumberFormat::kUint4 ? 0 : -1,
          .codes = as<uint8_t>(codes),
          .code_stride = packed_code_stride(layout, cols),
          .scales = as<uint8_t>(scales),
          .scale_stride = packed_scale_stride(s.format, rows, cols / s.group),
          .row_powers = powers ? as<float>(*powers) : nullptr};
}

void fill_weights(NumberFormat format, CodeLayout layout, int64_t rows, int64_t cols, const CudaBuffer& codes,
                  const CudaBuffer& scales, const CudaBuffer& powers) {
  if (format == NumberFormat::kInt8) {
    fill_normal(codes.data(), DataKind::kInt8, rows, cols, 30.0f, false, 3);
    fill_constant(scales.data(), scales.bytes() / 4, 0x1p-10f);
  } else {
    fill_codes(codes.data(), codes.bytes(), layout == CodeLayout::kSignedFragments64, 3);
    if (format == NumberFormat::kFp4E2M1)
      fill_constant(scales.data(), scales.bytes() / 4, 0x1.707070p-15f);  // four e4m3 scales of 0x38: 1
    else
      fill_scales(scales.data(), scales.bytes() / 2, 4);
  }
  fill_constant(powers.data(), rows, kScalePower);
}

}  // namespace

LinearProblem::LinearProblem(int64_t m, int64_t n, int64_t k, int64_t rank, MainLoop loop,
                             NumberFormat a_format, NumberFormat w_format)
    : m(m),
      n(n),
      k(k),
      rank(rank),
      loop(loop),
      a_format(a_format),
      w_format(w_format),
      x(2 * m * k),
      divide_by(4 * k),
      down(2 * rank * k),
      up(2 * n * rank),
      bias(4 * n),
      out(2 * m * n),
      a_codes(code_bytes(layouts_of(loop, w_format).activations, m, k)),
      a_scales(scale_bytes(a_format, m, k)),
      a_powers(4 * m),
      low_rank(4 * m * rank),
      w_codes(code_bytes(layouts_of(loop, w_format).weights, n, k)),
      w_scales(scale_bytes(w_format, n, k)),
      w_powers(4 * n) {
  fill_normal(x.data(), DataKind::kBf16, m, k, 1.0f, true, 1);
  fill_constant(divide_by.data(), k, 1.1875f);
  fill_normal(down.data(), DataKind::kBf16, std::max<int64_t>(rank, 0), k, 0.02f, false, 5);
  fill_normal(up.data(), DataKind::kBf16, n, rank, 0.05f, false, 6);
  fill_normal(bias.data(), DataKind::kFp32, 1, n, 0.1f, false, 7);
  const LoopLayouts layouts = layouts_of(loop, w_format);
  fill_weights(w_format, layouts.weights, n, k, w_codes, w_scales, w_powers);
  const PackedOutput a = packed(a_format, layouts.activations, m, k, a_codes, a_scales, &a_powers);
  const ScaleOf s = scale_of(a_format, k);
  quantize.x = halves(x, m, k);
  quantize.target = {.divide_by = as<const float>(divide_by),
                     .spec = {.format = a_format, .scale = s.format, .group = s.group},
                     .down = halves(down, rank, rank > 0 ? k : 0),
                     .codes = a,
                     .low_rank = {as<float>(low_rank), m, rank}};
  if (rank == 0) quantize.target.down = {}, quantize.target.low_rank = {};
  gemm = {.a = a,
          .w = packed(w_format, layouts.weights, n, k, w_codes, w_scales, &w_powers),
          .bias = as<const float>(bias),
          .low_rank = quantize.target.low_rank,
          .up = rank > 0 ? halves(up, n, rank) : HalfMatrix{},
          .out = {HalfType::kBf16, {as<uint16_t>(out), m, n}},
          .main_loop = loop};
  const int64_t scratch = gemm_quantized_workspace(gemm, Device::kCuda);
  if (scratch > 0) workspace.emplace(scratch);
  const Stream stream{.device = Device::kCuda};
  quantize_fuse_down(quantize, stream);
  cuda_synchronize(stream);
}

WeightOnlyProblem::WeightOnlyProblem(int64_t m, int64_t n, int64_t k, NumberFormat format)
    : x(2 * m * k),
      bias(4 * n),
      out(2 * m * n),
      codes(code_bytes(CodeLayout::kNibbles, n, k)),
      scales(packed_scale_bytes(ScaleFormat::kBf16, n, k / 64)) {
  fill_normal(x.data(), DataKind::kBf16, m, k, 1.0f, false, 1);
  fill_normal(bias.data(), DataKind::kFp32, 1, n, 0.1f, false, 7);
  fill_codes(codes.data(), codes.bytes(), false, 3);
  fill_scales(scales.data(), scales.bytes() / 2, 4);
  op = {.x = halves(x, m, k),
        .w = packed(NumberFormat::kInt4, CodeLayout::kNibbles, n, k, codes, scales, nullptr),
        .bias = as<const float>(bias),
        .out = {HalfType::kBf16, {as<uint16_t>(out), m, n}}};
  op.w.format = format;
}

}  // namespace svdlab::bench
