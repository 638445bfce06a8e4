#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "core/base/rng.h"

namespace svdlab::testing {

/// The definition of a small float format in double arithmetic and by search: no bit tricks, nothing shared
/// with the code under test. Codes here are magnitudes; `finite` of them are finite, the next one is where
/// overflow begins.
class SlowMinifloat {
 public:
  SlowMinifloat(int exponent_bits, int mantissa_bits, int finite)
      : mantissa_bits_(mantissa_bits), bias_((1 << (exponent_bits - 1)) - 1) {
    for (int code = 0; code <= finite; ++code) values_.push_back(compute(code));
  }

  double value(int code) const { return values_[static_cast<size_t>(code)]; }
  /// Number of finite magnitudes; also the code that nearest() gives for an overflow.
  int finite() const { return static_cast<int>(values_.size()) - 1; }

  /// Code of the magnitude nearest to x >= 0, ties to the even code; finite() when that is past the largest.
  int nearest(double x) const {
    const auto above = std::lower_bound(values_.begin(), values_.end(), x);
    if (above == values_.end()) return finite();
    const int high = static_cast<int>(above - values_.begin());
    if (high == 0) return 0;
    const double up = value(high) - x, down = x - value(high - 1);
    if (up != down) return up < down ? high : high - 1;
    return high % 2 == 0 ? high : high - 1;
  }

 private:
  double compute(int code) const {
    const int exponent = code >> mantissa_bits_, mantissa = code & ((1 << mantissa_bits_) - 1);
    if (exponent == 0) return std::ldexp(mantissa, 1 - bias_ - mantissa_bits_);
    return std::ldexp((1 << mantissa_bits_) + mantissa, exponent - bias_ - mantissa_bits_);
  }

  int mantissa_bits_, bias_;
  std::vector<double> values_;
};

/// Every point where rounding can change its mind: each value, each midpoint, and the floats next to them;
/// then float extremes and a million random bit patterns (NaN left out). Positive and negative.
inline std::vector<float> rounding_probes(const SlowMinifloat& format) {
  std::vector<float> out;
  const auto add = [&out](double exact) {
    const float x = static_cast<float>(exact);
    for (const float y : {x, std::nextafterf(x, 0.0f), std::nextafterf(x, INFINITY)})
      out.insert(out.end(), {y, -y});
  };
  for (int code = 0; code < format.finite(); ++code) {
    add(format.value(code));
    add((format.value(code) + format.value(code + 1)) / 2);
  }
  for (const double x : {0x1p-149, 0x1p-127, 0x1p-126, 0x1.fffffep127}) add(x);
  const Rng rng(1, "rounding_probes");
  for (uint64_t i = 0; i < 1000000; ++i) {
    const float x = std::bit_cast<float>(rng.bits(i));
    if (!std::isnan(x)) out.push_back(x);
  }
  return out;
}

}  // namespace svdlab::testing
