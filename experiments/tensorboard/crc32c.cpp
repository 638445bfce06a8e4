#include "experiments/tensorboard/crc32c.h"

#include <array>

namespace svdlab::tensorboard {
namespace {

constexpr uint32_t kReflectedPolynomial = 0x82F63B78, kMaskOffset = 0xA282EAD8;

constexpr std::array<uint32_t, 256> byte_table() {
  std::array<uint32_t, 256> out{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kReflectedPolynomial : 0);
    out[byte] = crc;
  }
  return out;
}

}  // namespace

uint32_t crc32c(const std::string& bytes) {
  static constexpr std::array<uint32_t, 256> kTable = byte_table();
  uint32_t crc = ~uint32_t{0};
  for (const char c : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

uint32_t masked_crc32c(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + kMaskOffset;
}

}  // namespace svdlab::tensorboard
