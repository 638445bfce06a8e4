#include "kernels/half.h"

#include "core/formats/bf16.h"
#include "core/formats/fp16.h"

namespace svdlab {

float half_decode(HalfType type, uint16_t bits) {
  return type == HalfType::kBf16 ? bf16_decode(bits) : fp16_decode(bits);
}

uint16_t half_encode(HalfType type, float value) {
  return type == HalfType::kBf16 ? bf16_encode(value) : fp16_encode(value);
}

float half_round(HalfType type, float x) { return half_decode(type, half_encode(type, x)); }

const char* to_string(HalfType type) { return type == HalfType::kBf16 ? "bf16" : "fp16"; }

}  // namespace svdlab
