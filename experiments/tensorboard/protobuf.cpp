#include "experiments/tensorboard/protobuf.h"

#include <bit>

namespace svdlab::tensorboard {
namespace {

constexpr int kVarint = 0, kEightBytes = 1, kLengthDelimited = 2, kFourBytes = 5;  // wire types

}  // namespace

std::string little_endian(uint64_t v, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(v >> (8 * i) & 0xFF);
  return out;
}

void Message::varint(uint64_t v) {
  for (; v >= 0x80; v >>= 7) out_ += static_cast<char>((v & 0x7F) | 0x80);
  out_ += static_cast<char>(v);
}

void Message::integer(int field, int64_t v) {
  tag(field, kVarint);
  varint(static_cast<uint64_t>(v));
}

void Message::real(int field, double v) {
  tag(field, kEightBytes);
  out_ += little_endian(std::bit_cast<uint64_t>(v), 8);
}

void Message::real(int field, float v) {
  tag(field, kFourBytes);
  out_ += little_endian(std::bit_cast<uint32_t>(v), 4);
}

void Message::bytes(int field, const std::string& v) {
  tag(field, kLengthDelimited);
  varint(v.size());
  out_ += v;
}

}  // namespace svdlab::tensorboard
