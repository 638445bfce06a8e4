#pragma once
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/half.h"
#include "kernels/packed_matrix.h"

namespace svdlab::testing {

// Numbers for problems of millions of elements: cheap, the same on every machine.

/// 64 mixed bits of position `i` of stream `seed` (splitmix64).
inline uint64_t mixed(uint64_t seed, uint64_t i) {
  uint64_t z = (i + 1) * 0x9E3779B97F4A7C15ull + seed * 0xD1B54A32D192ED03ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// Close to a standard normal: the sum of eight uniform bytes.
inline float bell(uint64_t seed, uint64_t i) {
  const uint64_t z = mixed(seed, i);
  int sum = 0;
  for (int b = 0; b < 8; ++b) sum += static_cast<int>(z >> 8 * b & 0xff);
  return static_cast<float>(sum - 1020) / 209.0f;
}

/// Activations as transformers have them: some channels are 20 times larger than the rest.
inline std::vector<uint16_t> activations(HalfType type, int64_t rows, int64_t cols, uint64_t seed) {
  std::vector<uint16_t> out(rows * cols);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < cols; ++c) {
      const float channel = mixed(seed + 1, c) % 37 == 0 ? 20.0f : 1.0f;
      out[r * cols + c] = half_encode(type, channel * bell(seed, r * cols + c));
    }
  return out;
}

inline std::vector<uint16_t> halves(HalfType type, int64_t count, uint64_t seed, float scale) {
  std::vector<uint16_t> out(count);
  for (int64_t i = 0; i < count; ++i) out[i] = half_encode(type, scale * bell(seed, i));
  return out;
}

inline std::vector<float> floats(int64_t count, uint64_t seed, float scale, float offset = 0.0f) {
  std::vector<float> out(count);
  for (int64_t i = 0; i < count; ++i) out[i] = offset + scale * bell(seed, i);
  return out;
}

inline std::vector<float> decoded(HalfType type, const std::vector<uint16_t>& bits) {
  std::vector<float> out;
  for (const uint16_t b : bits) out.push_back(half_decode(type, b));
  return out;
}

/// The rows `rows` of a row-major matrix.
template <class T>
std::vector<T> rows_of(const std::vector<T>& m, int64_t cols, const std::vector<int64_t>& rows) {
  std::vector<T> out;
  for (const int64_t r : rows) out.insert(out.end(), m.begin() + r * cols, m.begin() + (r + 1) * cols);
  return out;
}

/// 10 log10 of the energy of `exact` over that of the difference; NaN where either has one.
template <class T>
double sqnr_db(const std::vector<T>& actual, const std::vector<double>& exact) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double error = static_cast<double>(actual[i]) - exact[i];
    signal += exact[i] * exact[i];
    noise += error * error;
  }
  return actual.size() == exact.size() ? 10 * std::log10(signal / noise) : std::nan("");
}

}  // namespace svdlab::testing
