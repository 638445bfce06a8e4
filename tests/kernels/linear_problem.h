#pragma once
#include <optional>

#include "core/formats/bf16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/uint4.h"
#include "kernels/gemm_quantized.h"
#include "tests/kernels/input_problem.h"

namespace svdlab::testing {

/// Of NormRope: large, so that its place shows.
inline constexpr float kNormEpsilon = 0.25f;

/// Activations and weights of a product.
enum class Pair { kW4A4, kNvfp4, kW4A8, kW8A8 };

struct LinearShape {
  int64_t m = 1, n = 8, k = 64, rank = 0;
  Pair pair = Pair::kW4A4;
  MainLoop loop = MainLoop::kExact;
  int64_t unsigned_from = -1;
  HalfType out = HalfType::kBf16, up = HalfType::kBf16;
  EpilogueKind epilogue = EpilogueKind::kPlain;
  NumberFormat next_format = NumberFormat::kUint4;
  CodeLayout next_layout = CodeLayout::kNibbles;
  int64_t head_dim = 64;
  bool largest_codes = false;  ///< every code is the largest: what overflows first
};

inline std::string to_string(const LinearShape& s) {
  return concat(svdlab::to_string(s.loop), "_m", s.m, "_n", s.n, "_k", s.k, "_r", s.rank, "_pair",
                static_cast<int>(s.pair), "_unsigned", s.unsigned_from, "_", svdlab::to_string(s.out),
                "_epilogue", static_cast<int>(s.epilogue));
}

/// Codes of every value and scales that differ from group to group, some by a factor of 16.
inline UnpackedMatrix random_codes(NumberFormat format, int64_t rows, int64_t cols, int64_t group,
                                   float scale, uint64_t seed, bool largest, int64_t unsigned_from = -1) {
  UnpackedMatrix out{
      .rows = rows, .cols = cols, .group = group, .unsigned_from = unsigned_from, .format = format};
  for (int64_t i = 0; i < rows * cols; ++i) {
    const uint64_t bits = mixed(seed, i);
    const bool is_unsigned = unsigned_from >= 0 && i % cols >= unsigned_from;
    if (format == NumberFormat::kInt8)
      out.codes.push_back(static_cast<uint8_t>(largest ? 127 : static_cast<int>(bits % 255) - 127));
    else if (format == NumberFormat::kFp4E2M1 || is_unsigned)
      out.codes.push_back(static_cast<uint8_t>(largest ? (is_unsigned ? 15 : 7) : bits % 16));
    else
      out.codes.push_back(static_cast<uint8_t>((largest ? 7 : static_cast<int>(bits % 15) - 7) & 0xf));
  }
  for (int64_t i = 0; i < rows * (cols / group); ++i) {
    const float outlier = mixed(seed + 1, i) % 40 == 0 ? 16.0f : 1.0f;
    const float value = scale * outlier * std::exp2(0.5f * bell(seed + 2, i));
    out.scales.push_back(format == NumberFormat::kInt8      ? value
                         : format == NumberFormat::kFp4E2M1 ? fp8_e4m3_decode(fp8_e4m3_encode(100 * value))
                                                            : bf16_round(value));
  }
  if (format == NumberFormat::kFp4E2M1) out.tensor_scale = 0.01f;
  return out;
}

/// Rows of a matrix of codes.
inline UnpackedMatrix some_rows(const UnpackedMatrix& m, const std::vector<int64_t>& rows) {
  UnpackedMatrix out = m;
  out.rows = static_cast<int64_t>(rows.size());
  out.codes = rows_of(m.codes, m.cols, rows);
  out.scales = rows_of(m.scales, m.cols / m.group, rows);
  return out;
}

inline PackedBuffer packed(const UnpackedMatrix& m, CodeLayout layout) {
  const CodedMatrix coded{.format = m.format,
                          .group = m.group,
                          .codes = {m.codes.data(), m.rows, m.cols},
                          .scales = {m.scales.data(), m.rows, m.cols / m.group},
                          .tensor_scale = m.tensor_scale};
  const ScaleFormat scale = m.format == NumberFormat::kInt8      ? ScaleFormat::kFp32
                            : m.format == NumberFormat::kFp4E2M1 ? ScaleFormat::kE4M3
                                                                 : ScaleFormat::kBf16;
  return pack_matrix(coded, layout, scale, m.unsigned_from);
}

/// What an element stands for, exact in fp64.
inline double value_of(const UnpackedMatrix& m, int64_t r, int64_t c) {
  const uint8_t code = m.codes[r * m.cols + c];
  const bool is_unsigned = m.unsigned_from >= 0 && c >= m.unsigned_from;
  const double number = m.format == NumberFormat::kInt8      ? static_cast<int8_t>(code)
                        : m.format == NumberFormat::kFp4E2M1 ? fp4_e2m1_decode(code)
                        : is_unsigned                        ? uint4_decode(code)
                                                             : int4_decode(code);
  return number * m.scales[r * (m.cols / m.group) + c / m.group] * m.tensor_scale;
}

struct LinearResult {
  std::vector<uint16_t> out;
  std::optional<InputResult> next;
};

/// A call of gemm_quantized with operands of its own.
struct LinearProblem {
  LinearShape shape;
  UnpackedMatrix a, w;
  std::vector<float> channel_scale, bias, low_rank, query_weight, key_weight, table;
  std::vector<uint16_t> up;
  std::optional<InputProblem> next;  ///< its target serves; its x is not used

  explicit LinearProblem(const LinearShape& s, uint64_t seed = 100)
      : shape(s),
        a(activations_of(s, seed)),
        w(weights_of(s, seed + 10)),
        channel_scale(floats(s.n, seed + 20, 0.1f, 1.0f)),
        bias(floats(s.n, seed + 21, 1.0f)),
        low_rank(floats(s.m * s.rank, seed + 22, 2.0f)),
        up(halves(s.up, s.n * s.rank, seed + 23, 0.5f)) {
    if (s.epilogue == EpilogueKind::kGeluRequantize)
      next.emplace(InputShape{.m = s.m,
                              .k = s.n,
                              .rank = s.rank,
                              .format = s.next_format,
                              .layout = s.next_layout,
                              .type = s.out},
                   seed + 30);
    if (s.epilogue != EpilogueKind::kNormRope) return;
    query_weight = floats(s.head_dim, seed + 40, 0.2f, 1.0f);
    key_weight = floats(s.head_dim, seed + 41, 0.2f, 1.0f);
    for (int64_t i = 0; i < s.m * s.head_dim / 2; ++i) {
      const double angle = 3.0 * bell(seed + 42, i);
      table.push_back(static_cast<float>(std::cos(angle)));
      table.push_back(static_cast<float>(std::sin(angle)));
    }
  }

  static UnpackedMatrix activations_of(const LinearShape& s, uint64_t seed) {
    if (s.pair == Pair::kNvfp4)
      return random_codes(NumberFormat::kFp4E2M1, s.m, s.k, 16, 1.0f, seed, s.largest_codes);
    if (s.pair != Pair::kW4A4)
      return random_codes(NumberFormat::kInt8, s.m, s.k, s.k, 0.05f, seed, s.largest_codes);
    return random_codes(NumberFormat::kInt4, s.m, s.k, 64, 1.0f, seed, s.largest_codes, s.unsigned_from);
  }
  static UnpackedMatrix weights_of(const LinearShape& s, uint64_t seed) {
    if (s.pair == Pair::kNvfp4)
      return random_codes(NumberFormat::kFp4E2M1, s.n, s.k, 16, 0.01f, seed, s.largest_codes);
    if (s.pair == Pair::kW8A8)
      return random_codes(NumberFormat::kInt8, s.n, s.k, s.k, 0.001f, seed, s.largest_codes);
    return random_codes(NumberFormat::kInt4, s.n, s.k, 64, 0.01f, seed, s.largest_codes);
  }

  /// The same call for some rows of the input and some output columns.
  LinearProblem part(const std::vector<int64_t>& rows, const std::vector<int64_t>& columns) const {
    LinearProblem out = *this;
    out.shape.m = static_cast<int64_t>(rows.size());
    out.shape.n = static_cast<int64_t>(columns.size());
    out.a = some_rows(a, rows);
    out.w = some_rows(w, columns);
    out.low_rank = rows_of(low_rank, shape.rank, rows);
    out.up = rows_of(up, shape.rank, columns);
    out.channel_scale = rows_of(channel_scale, 1, columns);
    out.bias = rows_of(bias, 1, columns);
    if (!table.empty()) out.table = rows_of(table, shape.head_dim, rows);
    if (next) out.next->shape.m = out.shape.m;
    return out;
  }

  /// channel_scale * S + L + bias in fp64, [m, n].
  std::vector<double> oracle() const {
    const auto decode_row = [&](const UnpackedMatrix& m, int64_t r, double* out) {
      for (int64_t c = 0; c < m.cols; ++c) out[c] = value_of(m, r, c);
    };
    std::vector<double> inputs(shape.m * shape.k), row(shape.k), y(shape.m * shape.n);
    for (int64_t m = 0; m < shape.m; ++m) decode_row(a, m, &inputs[m * shape.k]);
    const std::vector<float> factor = decoded(shape.up, up);
    for (int64_t n = 0; n < shape.n; ++n) {
      decode_row(w, n, row.data());
      for (int64_t m = 0; m < shape.m; ++m) {
        double sum = 0, rest = bias[n];
        for (int64_t c = 0; c < shape.k; ++c) sum += inputs[m * shape.k + c] * row[c];
        for (int64_t r = 0; r < shape.rank; ++r)
          rest += static_cast<double>(low_rank[m * shape.rank + r]) * factor[n * shape.rank + r];
        y[m * shape.n + n] = channel_scale[n] * sum + rest;
      }
    }
    return y;
  }
};

/// The call with all operands in `memory`; stays where it is, since its parts point at each other.
struct LinearCall {
  QuantizeTarget next;
  NormRope norm_rope;
  GemmQuantized op;

  LinearCall(const LinearCall&) = delete;
  LinearCall& operator=(const LinearCall&) = delete;
  LinearCall(const LinearProblem& p, Memory& memory) {
    const LinearShape& s = p.shape;
    const LoopLayouts layouts = layouts_of(s.loop, p.w.format);
    op.a = placed(packed(p.a, layouts.activations), memory);
    op.w = placed(packed(p.w, layouts.weights), memory);
    op.channel_scale = memory.put(p.channel_scale);
    op.bias = memory.put(p.bias);
    op.low_rank = {memory.put(p.low_rank), s.m, s.rank};
    op.up = {s.up, {memory.put(p.up), s.n, s.rank}};
    op.out = {s.out, {memory.poisoned<uint16_t>(s.m * s.n), s.m, s.n}};
    op.main_loop = s.loop;
    if (p.next) {
      next = p.next->call(memory).target;
      op.next = &next;
    }
    if (s.epilogue == EpilogueKind::kNormRope) {
      norm_rope = {.heads = s.n / (3 * s.head_dim),
                   .head_dim = s.head_dim,
                   .query_weight = memory.put(p.query_weight),
                   .key_weight = memory.put(p.key_weight),
                   .epsilon = kNormEpsilon,
                   .table = {memory.put(p.table), s.m, s.head_dim}};
      op.norm_rope = &norm_rope;
    }
  }

  static PackedMatrix placed(const PackedBuffer& buffer, Memory& memory) {
    PackedMatrix out = buffer.view();
    out.codes = memory.put(buffer.codes);
    out.scales = memory.put(buffer.scales);
    out.row_powers = memory.put(buffer.row_powers);
    return out;
  }
};

inline LinearResult run(const LinearProblem& problem, Device device, uint8_t poison = 0xff) {
  Memory memory(device, poison);
  const LinearCall call(problem, memory);
  const Stream stream = memory.stream(gemm_quantized_workspace(call.op, device));
  gemm_quantized(call.op, stream);
  memory.wait(stream);
  LinearResult out{.out = memory.get<uint16_t>(call.op.out.bits.data, problem.shape.m * problem.shape.n),
                   .next = {}};
  if (problem.next) out.next = fetched(memory, call.next);
  return out;
}

}  // namespace svdlab::testing
