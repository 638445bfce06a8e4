// What every format promises alike, run over all of them: order is kept, and a decoded value encodes to
// itself.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/rng.h"
#include "core/formats/bf16.h"
#include "core/formats/fp16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e5m2.h"
#include "core/formats/fp8_e8m0.h"
#include "core/formats/int4.h"
#include "core/formats/int8.h"
#include "core/formats/nf4.h"
#include "core/formats/uint4.h"

namespace svdlab {
namespace {

struct Format {
  const char* name;
  float (*round)(float);
  bool is_signed = true;  // false: only x >= 0 has an order to keep
};

const Format kFormats[] = {
    {"bf16", bf16_round},
    {"fp16", fp16_round},
    {"fp8_e4m3", [](float x) { return fp8_e4m3_decode(fp8_e4m3_encode(x)); }},
    {"fp8_e5m2", [](float x) { return fp8_e5m2_decode(fp8_e5m2_encode(x)); }},
    {"fp8_e8m0 floor", [](float x) { return fp8_e8m0_decode(fp8_e8m0_encode_floor(x)); }, false},
    {"fp8_e8m0 ceil", [](float x) { return fp8_e8m0_decode(fp8_e8m0_encode_ceil(x)); }, false},
    {"fp4_e2m1", [](float x) { return fp4_e2m1_decode(fp4_e2m1_encode(x)); }},
    {"int4", [](float x) { return int4_decode(int4_encode(x)); }},
    {"uint4", [](float x) { return uint4_decode(uint4_encode(x)); }},
    {"int8", [](float x) { return int8_decode(int8_encode(x)); }},
    {"nf4", [](float x) { return nf4_decode(nf4_encode(x)); }},
};

// All magnitudes of float: random bit patterns, and a dense range around the small formats' values.
std::vector<float> sorted_probes() {
  const Rng rng(1, "monotonic");
  std::vector<float> out{-INFINITY, INFINITY, 0.0f};
  for (uint64_t i = 0; i < 200000; ++i) {
    const float x = std::bit_cast<float>(rng.bits(i));
    if (!std::isnan(x)) out.push_back(x);
    out.push_back((rng.uniform(i) - 0.5f) * 20.0f);
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(EveryFormat, KeepsOrderAndIsIdempotent) {
  const std::vector<float> probes = sorted_probes();
  for (const Format& format : kFormats) {
    SCOPED_TRACE(format.name);
    float previous = -INFINITY;
    for (const float x : probes) {
      if (!format.is_signed && x < 0) continue;
      const float y = format.round(x);
      ASSERT_GE(y, previous) << x;
      ASSERT_EQ(format.round(y), y) << x;
      previous = y;
    }
  }
}

}  // namespace
}  // namespace svdlab
