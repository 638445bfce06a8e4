#pragma once
#include <cstdint>
#include <string>

namespace svdlab::tensorboard {

/// Serializes one protobuf message (protobuf.dev/programming-guides/encoding); the fields appear in the order
/// of the calls.
class Message {
 public:
  void integer(int field, int64_t v);           ///< int32, int64
  void real(int field, double v);               ///< double
  void real(int field, float v);                ///< float
  void bytes(int field, const std::string& v);  ///< string, bytes
  void message(int field, const Message& v) { bytes(field, v.serialized()); }
  const std::string& serialized() const { return out_; }

 private:
  void varint(uint64_t v);
  void tag(int field, int wire_type) { varint(static_cast<uint64_t>(field) << 3 | wire_type); }

  std::string out_;
};

/// The lowest `count` bytes of `v`, least significant first.
std::string little_endian(uint64_t v, int count);

}  // namespace svdlab::tensorboard
