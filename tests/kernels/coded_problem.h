#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "kernels/dequantize_matrix.h"
#include "kernels/quantize_matrix.h"

namespace svdlab::testing {

/// A matrix that owns its values.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<float> data;

  Matrix(int64_t rows, int64_t cols, float value = 0.0f) : rows(rows), cols(cols), data(rows * cols, value) {}
  float& operator()(int64_t r, int64_t c) { return data[r * cols + c]; }
  MatrixView<float> view() { return {data.data(), rows, cols}; }
};

/// Standard normal values from the stream `name`.
inline Matrix normal_matrix(int64_t rows, int64_t cols, const std::string& name) {
  Matrix m(rows, cols);
  const Rng rng(0, name);
  for (size_t i = 0; i < m.data.size(); ++i) m.data[i] = static_cast<float>(rng.normal(i));
  return m;
}

/// Codes and scales of one matrix.
struct Coded {
  QuantizeSpec spec;
  int64_t rows, cols;
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  float tensor_scale = 1.0f;

  Coded(const QuantizeSpec& spec, int64_t rows, int64_t cols, int64_t scale_rows)
      : spec(spec),
        rows(rows),
        cols(cols),
        codes(rows * cols, 0xcc),
        scales(scale_rows * (cols / spec.group)) {}

  MatrixView<uint8_t> codes_view() { return {codes.data(), rows, cols}; }
  MatrixView<float> scales_view() {
    const int64_t groups = cols / spec.group;
    return {scales.data(), static_cast<int64_t>(scales.size()) / groups, groups};
  }
  CodedMatrix view() { return {spec.format, spec.group, codes_view(), scales_view(), tensor_scale}; }
  float step(int64_t r, int64_t c) { return view().scale_row(r)[c / spec.group] * tensor_scale; }
  Matrix decoded() {
    Matrix out(rows, cols, std::nanf(""));
    dequantize_matrix(view(), nullptr, out.view());
    return out;
  }
};

inline Coded quantized(Matrix& x, const QuantizeSpec& spec, const float* divide_by = nullptr,
                       bool one_scale_row = false) {
  Coded q(spec, x.rows, x.cols, one_scale_row ? 1 : x.rows);
  q.tensor_scale = quantize_matrix(x.view(), divide_by, spec, q.codes_view(), q.scales_view());
  return q;
}

/// Every pairing of number and scale format that a built-in scheme uses, for rows of `row` columns.
struct NamedSpec {
  const char* name;
  QuantizeSpec spec;
};
inline std::vector<NamedSpec> all_specs(int64_t row) {
  return {{"int4", {NumberFormat::kInt4, ScaleFormat::kBf16, 64}},
          {"uint4", {NumberFormat::kUint4, ScaleFormat::kBf16, 64}},
          {"int8", {NumberFormat::kInt8, ScaleFormat::kFp32, row}},
          {"nf4", {NumberFormat::kNf4, ScaleFormat::kBf16, 64}},
          {"nvfp4", {NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16}},
          {"nvfp4_two_level", {NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16, true}},
          {"mxfp4", {NumberFormat::kFp4E2M1, ScaleFormat::kE8M0, 32}}};
}

}  // namespace svdlab::testing
