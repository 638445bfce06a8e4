#pragma once
#include <cstdint>
#include <limits>

#include "core/base/error.h"

namespace svdlab {

/// a * b for sizes read from a file: throws kInput instead of wrapping.
inline uint64_t checked_mul(uint64_t a, uint64_t b, const char* what) {
  uint64_t product = 0;
  SVDLAB_REQUIRE(!__builtin_mul_overflow(a, b, &product), Errc::kInput, what, ": ", a, " * ", b,
                 " overflows 64 bits");
  return product;
}

/// a + b for sizes read from a file: throws kInput instead of wrapping.
inline uint64_t checked_add(uint64_t a, uint64_t b, const char* what) {
  uint64_t sum = 0;
  SVDLAB_REQUIRE(!__builtin_add_overflow(a, b, &sum), Errc::kInput, what, ": ", a, " + ", b,
                 " overflows 64 bits");
  return sum;
}

}  // namespace svdlab
