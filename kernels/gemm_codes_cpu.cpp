#include <cmath>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/nf4.h"
#include "core/formats/uint4.h"
#include "kernels/gemm_codes.h"

namespace svdlab::detail {
namespace {

float decode(NumberFormat format, uint8_t code) {
  switch (format) {
    case NumberFormat::kInt4:
      return int4_decode(code);
    case NumberFormat::kUint4:
      return uint4_decode(code);
    case NumberFormat::kInt8:
      return int8_decode(static_cast<int8_t>(code));
    case NumberFormat::kNf4:
      return nf4_decode(code);
    case NumberFormat::kFp4E2M1:
      return fp4_e2m1_decode(code);
    case NumberFormat::kAffine:
    case NumberFormat::kCodebook:
      break;
  }
  throw Error(Errc::kUnexpected, "gemm_codes: unknown number format");
}

// What the code at (r, c) stands for, without its scale.
float decoded_at(const CodedMatrix& m, int64_t r, int64_t c) {
  const uint8_t code = m.codes(r, c);
  if (m.format == NumberFormat::kAffine) return static_cast<float>(code) - m.zero_row(r)[c / m.group];
  return m.format == NumberFormat::kCodebook ? m.codebook[code] : decode(m.format, code);
}

bool all_integers(MatrixView<const float> m) {
  bool integers = true;
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.cols; ++c) integers &= m(r, c) == std::nearbyint(m(r, c)) && m(r, c) <= 255;
  return integers;
}

// What every code is an integer multiple of; 0 when there is no such unit.
float unit(const CodedMatrix& m) {
  if (m.format == NumberFormat::kNf4 || m.format == NumberFormat::kCodebook) return 0.0f;
  if (m.format == NumberFormat::kAffine) return all_integers(m.zeros) ? 1.0f : 0.0f;
  return m.format == NumberFormat::kFp4E2M1 ? 0.5f : 1.0f;
}

// An operand without its scales: numbers of type Number, each worth `unit`.
template <class Number>
struct Operand {
  int64_t rows, cols, group;
  std::vector<Number> numbers;
  MatrixView<const float> scales;  // empty: all 1
  float unit, tensor_scale;

  float scale(int64_t r, int64_t c) const {
    if (scales.data == nullptr) return 1.0f;
    return scales(scales.rows == 1 ? 0 : r, c / group) * tensor_scale;
  }
};

template <class Number>
Operand<Number> decoded(const CodedMatrix& m, float unit) {
  Operand<Number> out{m.rows(), m.cols(), m.group, {}, m.scales, unit, m.tensor_scale};
  out.numbers.reserve(m.rows() * m.cols());
  for (int64_t r = 0; r < m.rows(); ++r)
    for (int64_t c = 0; c < m.cols(); ++c)
      out.numbers.push_back(static_cast<Number>(decoded_at(m, r, c) / unit));
  return out;
}

Operand<double> plain(MatrixView<const float> m) {
  Operand<double> out{m.rows, m.cols, m.cols, {}, {}, 1.0f, 1.0f};
  out.numbers.reserve(m.rows * m.cols);
  for (int64_t r = 0; r < m.rows; ++r) out.numbers.insert(out.numbers.end(), m.row(r), m.row(r) + m.cols);
  return out;
}

template <class Sum, class Number>
Sum dot(const Number* a, const Number* w, int64_t count) {
  Sum sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += static_cast<Sum>(a[k]) * static_cast<Sum>(w[k]);
  return sum;
}

template <class Sum, class Number>
void multiply(const Operand<Number>& a, const Operand<Number>& w, MatrixView<float> out) {
  const int64_t piece = std::gcd(a.group, w.group);
  const float unit = a.unit * w.unit;  // a power of two: exact
  for (int64_t t = 0; t < a.rows; ++t)
    for (int64_t n = 0; n < w.rows; ++n) {
      float total = 0.0f;
      for (int64_t k = 0; k < a.cols; k += piece) {
        const Sum sum = dot<Sum>(&a.numbers[t * a.cols + k], &w.numbers[n * w.cols + k], piece);
        total += static_cast<float>(sum) * unit * a.scale(t, k) * w.scale(n, k);
      }
      out(t, n) += total;
    }
}

}  // namespace

void gemm_codes_cpu(const CodedMatrix& a, const CodedMatrix& w, MatrixView<float> out) {
  const float unit_a = unit(a), unit_w = unit(w);
  if (unit_a != 0 && unit_w != 0)
    return multiply<int32_t>(decoded<int16_t>(a, unit_a), decoded<int16_t>(w, unit_w), out);
  multiply<double>(decoded<double>(a, 1.0f), decoded<double>(w, 1.0f), out);
}

void gemm_codes_cpu(MatrixView<const float> a, const CodedMatrix& w, MatrixView<float> out) {
  multiply<double>(plain(a), decoded<double>(w, 1.0f), out);
}

}  // namespace svdlab::detail
