#pragma once
#include "core/base/error.h"
#include "kernels/quantize_fuse_down.h"
#include "tests/kernels/fused_numbers.h"
#include "tests/kernels/memory.h"

namespace svdlab::testing {

/// The formats that quantize_fuse_down serves; kUint4 with the shift behind GELU.
inline QuantizeSpec fused_spec(NumberFormat format, int64_t k) {
  switch (format) {
    case NumberFormat::kFp4E2M1:
      return {NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16};
    case NumberFormat::kInt8:
      return {NumberFormat::kInt8, ScaleFormat::kFp32, k};
    case NumberFormat::kUint4:
      return {.format = NumberFormat::kUint4, .shift = 0.171875f};
    default:
      return {};
  }
}

struct InputShape {
  int64_t m = 1, k = 64, rank = 0;
  NumberFormat format = NumberFormat::kInt4;
  CodeLayout layout = CodeLayout::kNibbles;
  HalfType type = HalfType::kBf16;
  InputStep step = InputStep::kNone;
  bool smooth = true, down_low = false, continues = false;
};

inline std::string to_string(const InputShape& s) {
  return concat("m", s.m, "_k", s.k, "_r", s.rank, "_", static_cast<int>(s.format), "_",
                svdlab::to_string(s.layout), "_", svdlab::to_string(s.type), "_step",
                static_cast<int>(s.step));
}

/// What quantize_fuse_down left, on the CPU.
struct InputResult {
  PackedBuffer codes;
  std::vector<float> low_rank;
};

/// A call of quantize_fuse_down with operands of its own.
struct InputProblem {
  InputShape shape;
  std::vector<uint16_t> x, down, down_low, scale, shift;
  std::vector<float> smooth, low_rank_before, powers_before;

  explicit InputProblem(const InputShape& s, uint64_t seed = 0)
      : shape(s),
        x(activations(s.type, s.m, s.k, seed)),
        down(halves(s.type, s.rank * s.k, seed + 2, 0.1f)),
        down_low(halves(s.type, s.down_low ? s.rank * s.k : 0, seed + 3, 0.0002f)),
        scale(halves(s.type, s.k, seed + 4, 0.3f)),
        shift(halves(s.type, s.k, seed + 5, 0.3f)) {
    for (int64_t c = 0; s.smooth && c < s.k; ++c) smooth.push_back(std::exp2(bell(seed + 6, c)));
    if (!s.continues) return;
    low_rank_before = floats(s.m * s.rank, seed + 7, 2.0f);
    for (int64_t r = 0; r < s.m; ++r) powers_before.push_back(std::exp2(static_cast<float>(r % 3) - 5.0f));
  }

  /// The same call on some rows of x.
  InputProblem some_rows(const std::vector<int64_t>& rows) const {
    InputProblem out = *this;
    out.shape.m = static_cast<int64_t>(rows.size());
    out.x = rows_of(x, shape.k, rows);
    if (!shape.continues) return out;
    out.low_rank_before = rows_of(low_rank_before, shape.rank, rows);
    out.powers_before = rows_of(powers_before, 1, rows);
    return out;
  }

  PackedMatrix code_shape() const {
    const QuantizeSpec spec = fused_spec(shape.format, shape.k);
    const bool is_unsigned = shape.format == NumberFormat::kUint4;
    return {.format = is_unsigned ? NumberFormat::kInt4 : shape.format,
            .layout = shape.layout,
            .scale = spec.scale,
            .rows = shape.m,
            .cols = shape.k,
            .group = spec.group,
            .unsigned_from = is_unsigned ? 0 : -1};
  }

  /// The call, with all operands in `memory`.
  QuantizeFuseDown call(Memory& memory) const {
    const auto& s = shape;
    QuantizeFuseDown op{.x = {s.type, {memory.put(x), s.m, s.k}},
                        .step = s.step,
                        .modulation = {memory.put(scale), memory.put(shift)},
                        .continues = s.continues};
    op.target.divide_by = memory.put(smooth);
    op.target.spec = fused_spec(s.format, s.k);
    op.target.down = {s.type, {memory.put(down), s.rank, s.k}};
    if (s.down_low) op.target.down_low = {s.type, {memory.put(down_low), s.rank, s.k}};
    op.target.codes = poisoned_codes(memory, s.continues ? &powers_before : nullptr);
    float* low_rank = s.continues ? memory.put(low_rank_before) : memory.poisoned<float>(s.m * s.rank);
    op.target.low_rank = {low_rank, s.m, s.rank};
    return op;
  }

  PackedOutput poisoned_codes(Memory& memory, const std::vector<float>* powers) const {
    PackedBuffer sizes(code_shape());
    PackedOutput out = sizes.output();
    out.codes = memory.poisoned<uint8_t>(static_cast<int64_t>(sizes.codes.size()));
    out.scales = memory.poisoned<uint8_t>(static_cast<int64_t>(sizes.scales.size()));
    out.row_powers = powers ? memory.put(*powers) : memory.poisoned<float>(shape.m);
    return out;
  }
};

/// A packed matrix of `memory`, whose codes and scales start allocations, on the CPU.
inline PackedBuffer fetched(const Memory& memory, const PackedMatrix& m) {
  PackedBuffer out(m);
  out.codes = memory.get(m.codes, static_cast<int64_t>(out.codes.size()));
  out.scales = memory.get(m.scales, static_cast<int64_t>(out.scales.size()));
  if (m.row_powers) out.row_powers = memory.get(m.row_powers, m.rows);
  return out;
}

inline InputResult fetched(const Memory& memory, const QuantizeTarget& target) {
  return {fetched(memory, target.codes),
          memory.get<float>(target.low_rank.data, target.low_rank.rows * target.low_rank.cols)};
}

inline InputResult run(const InputProblem& problem, Device device, uint8_t poison = 0xff) {
  Memory memory(device, poison);
  const QuantizeFuseDown op = problem.call(memory);
  const Stream stream = memory.stream(quantize_fuse_down_workspace(op, device));
  quantize_fuse_down(op, stream);
  memory.wait(stream);
  return fetched(memory, op.target);
}

}  // namespace svdlab::testing
