#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace svdlab::testing {

/// A TensorProto as the ONNX node tests store it: the element type's number, the shape, the elements' bytes
/// (4-bit types packed two a byte). Of the format only what those files use is read: raw_data, float_data and
/// int32_data.
struct OnnxTensor {
  enum Type {
    kFloat = 1,
    kUint8 = 2,
    kInt8 = 3,
    kInt32 = 6,
    kInt64 = 7,
    kFloat16 = 10,
    kE4M3 = 17,
    kE5M2 = 19,
    kUint4 = 21,
    kInt4 = 22,
    kE2M1 = 23,
    kE8M0 = 24
  };  // TensorProto.DataType

  int type = 0;
  std::vector<int64_t> shape;
  std::string raw;

  int64_t count() const {
    int64_t n = 1;
    for (const int64_t d : shape) n *= d;
    return n;
  }

  /// The elements as T; throws when the bytes are not exactly count() of them.
  template <class T>
  std::vector<T> elements() const {
    SVDLAB_REQUIRE(raw.size() == static_cast<size_t>(count()) * sizeof(T), Errc::kInput,
                   "onnx tensor of type ", type, ": ", raw.size(), " bytes for ", count(), " elements");
    std::vector<T> out(static_cast<size_t>(count()));
    if (!out.empty()) std::memcpy(out.data(), raw.data(), raw.size());
    return out;
  }
};

namespace detail {

/// Protobuf wire format, forward only.
class Wire {
 public:
  explicit Wire(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ == bytes_.size(); }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw Error(Errc::kInput, "onnx tensor: varint longer than 64 bits");
  }

  std::string_view take(uint64_t n) {
    SVDLAB_REQUIRE(n <= bytes_.size() - at_, Errc::kInput, "onnx tensor: truncated at byte ", at_);
    const std::string_view out = bytes_.substr(at_, n);
    at_ += n;
    return out;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

inline size_t onnx_element_bytes(int type) {
  if (type == OnnxTensor::kFloat || type == OnnxTensor::kInt32) return 4;
  return type == OnnxTensor::kFloat16 ? 2 : 1;
}

}  // namespace detail

inline OnnxTensor parse_onnx_tensor(std::string_view bytes) {
  OnnxTensor out;
  std::vector<uint64_t> ints;  // int32_data: one entry an element, or a pair of 4-bit elements
  const auto varints = [](int wire_type, detail::Wire& in, auto&& sink) {
    if (wire_type == 0) return sink(in.varint());
    for (detail::Wire packed(in.take(in.varint())); !packed.done();) sink(packed.varint());
  };
  for (detail::Wire in(bytes); !in.done();) {
    const uint64_t tag = in.varint();
    const auto wire_type = static_cast<int>(tag & 7);
    switch (tag >> 3) {
      case 1:
        varints(wire_type, in, [&](uint64_t v) { out.shape.push_back(static_cast<int64_t>(v)); });
        break;
      case 2:
        out.type = static_cast<int>(in.varint());
        break;
      case 5:
        varints(wire_type, in, [&](uint64_t v) { ints.push_back(v); });
        break;
      case 4:  // float_data, packed
      case 9:
        out.raw += in.take(in.varint());
        break;
      case 8:
        in.take(in.varint());
        break;  // name
      default:
        throw Error(Errc::kInput, concat("onnx tensor: field ", tag >> 3, " is not read here"));
    }
  }
  for (const uint64_t v : ints)
    for (size_t b = 0; b < detail::onnx_element_bytes(out.type); ++b)
      out.raw += static_cast<char>(v >> (8 * b));
  return out;
}

inline OnnxTensor read_onnx_tensor(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  SVDLAB_REQUIRE(in.good(), Errc::kInput, path, ": cannot be read");
  std::ostringstream bytes;
  bytes << in.rdbuf();
  return parse_onnx_tensor(bytes.str());
}

}  // namespace svdlab::testing
