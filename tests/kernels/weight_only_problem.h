#pragma once
#include "core/formats/nf4.h"
#include "kernels/gemm_weight_only.h"
#include "tests/kernels/linear_problem.h"

namespace svdlab::testing {

struct WeightOnlyShape {
  int64_t m = 1, n = 8, k = 64, rank = 0;
  NumberFormat format = NumberFormat::kInt4;
  HalfType type = HalfType::kBf16;
  bool smooth = false;
};

inline std::string to_string(const WeightOnlyShape& s) {
  return concat("m", s.m, "_n", s.n, "_k", s.k, "_r", s.rank,
                s.format == NumberFormat::kNf4 ? "_nf4_" : "_int4_", svdlab::to_string(s.type),
                s.smooth ? "_smooth" : "");
}

/// A call of gemm_weight_only with operands of its own.
struct WeightOnlyProblem {
  WeightOnlyShape shape;
  std::vector<uint16_t> x, up;
  UnpackedMatrix w;
  std::vector<float> smooth, bias, low_rank;

  explicit WeightOnlyProblem(const WeightOnlyShape& s, uint64_t seed = 200)
      : shape(s),
        x(activations(s.type, s.m, s.k, seed)),
        up(halves(s.type, s.n * s.rank, seed + 1, 0.5f)),
        w(random_codes(NumberFormat::kInt4, s.n, s.k, 64, 0.01f, seed + 2, false)),
        bias(floats(s.n, seed + 5, 1.0f)),
        low_rank(floats(s.m * s.rank, seed + 6, 2.0f)) {
    w.format = s.format;
    for (int64_t c = 0; s.smooth && c < s.k; ++c) smooth.push_back(std::exp2(bell(seed + 7, c)));
  }

  GemmWeightOnly call(Memory& memory) const {
    const auto& s = shape;
    return {.x = {s.type, {memory.put(x), s.m, s.k}},
            .w = LinearCall::placed(packed(w, CodeLayout::kNibbles), memory),
            .divide_by = memory.put(smooth),
            .bias = memory.put(bias),
            .low_rank = {memory.put(low_rank), s.m, s.rank},
            .up = {s.type, {memory.put(up), s.n, s.rank}},
            .out = {s.type, {memory.poisoned<uint16_t>(s.m * s.n), s.m, s.n}}};
  }

  /// The result in fp64, [m, n].
  std::vector<double> oracle() const {
    const std::vector<float> values = decoded(shape.type, x), factor = decoded(shape.type, up);
    std::vector<double> y(shape.m * shape.n), row(shape.k);
    for (int64_t n = 0; n < shape.n; ++n) {
      for (int64_t c = 0; c < shape.k; ++c) {
        const uint8_t code = w.codes[n * shape.k + c];
        const double number = shape.format == NumberFormat::kNf4 ? nf4_decode(code) : int4_decode(code);
        row[c] = number * w.scales[n * (shape.k / 64) + c / 64] / (smooth.empty() ? 1.0 : smooth[c]);
      }
      for (int64_t m = 0; m < shape.m; ++m) {
        double sum = bias[n];
        for (int64_t c = 0; c < shape.k; ++c) sum += values[m * shape.k + c] * row[c];
        for (int64_t r = 0; r < shape.rank; ++r)
          sum += static_cast<double>(low_rank[m * shape.rank + r]) * factor[n * shape.rank + r];
        y[m * shape.n + n] = sum;
      }
    }
    return y;
  }
};

inline std::vector<uint16_t> run(const WeightOnlyProblem& problem, Device device, uint8_t poison = 0xff) {
  Memory memory(device, poison);
  const GemmWeightOnly op = problem.call(memory);
  const Stream stream = memory.stream(0);
  gemm_weight_only(op, stream);
  memory.wait(stream);
  return memory.get<uint16_t>(op.out.bits.data, problem.shape.m * problem.shape.n);
}

}  // namespace svdlab::testing
