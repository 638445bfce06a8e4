#include "core/io/stored_tensor.h"

#include <cmath>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e8m0.h"
#include "core/formats/nibbles.h"

namespace svdlab {
namespace {

constexpr StDtype kE4M3 = StDtype::kF8E4M3, kE8M0 = StDtype::kF8E8M0;

uint8_t encode8(float v, ScaleFormat format) {
  return format == ScaleFormat::kE4M3 ? fp8_e4m3_encode(v) : fp8_e8m0_encode_floor(v);
}
float decode8(uint8_t code, ScaleFormat format) {
  return format == ScaleFormat::kE4M3 ? fp8_e4m3_decode(code) : fp8_e8m0_decode(code);
}

float rounded(float v, ScaleFormat format) {
  if (format == ScaleFormat::kFp32) return v;
  if (format == ScaleFormat::kBf16) return bf16_round(v);
  return decode8(encode8(v, format), format);
}

StDtype dtype_of_values(ScaleFormat format) {
  switch (format) {
    case ScaleFormat::kFp32:
      return StDtype::kF32;
    case ScaleFormat::kBf16:
      return StDtype::kBf16;
    case ScaleFormat::kE4M3:
      return kE4M3;
    case ScaleFormat::kE8M0:
      return kE8M0;
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

void require_exact(const std::string& name, const Tensor& values, ScaleFormat format) {
  const float* v = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i)
    SVDLAB_REQUIRE(std::isfinite(v[i]) && rounded(v[i], format) == v[i], Errc::kUnexpected, "tensor ",
                   printable(name), " to write: element ", i, " is ", v[i], ", not a finite value of ",
                   to_string(format));
}

Tensor encoded8(const Tensor& values, ScaleFormat format) {
  Tensor out = at::empty(values.sizes(), at::kByte);
  for (int64_t i = 0; i < values.numel(); ++i)
    out.data_ptr<uint8_t>()[i] = encode8(values.data_ptr<float>()[i], format);
  return out;
}

const StEntry& checked_entry(const SafetensorsFile& file, const std::string& name, StDtype dtype,
                             const std::vector<int64_t>& shape) {
  const auto found = file.entries().find(name);
  SVDLAB_REQUIRE(found != file.entries().end(), Errc::kInput, file.path(), ": no tensor ", printable(name));
  const StEntry& entry = found->second;
  SVDLAB_REQUIRE(entry.dtype == dtype && entry.shape == shape, Errc::kInput, file.path(), ": tensor ",
                 printable(name), " is ", to_string(entry.dtype), " ", at::IntArrayRef(entry.shape),
                 ", must be ", to_string(dtype), " ", at::IntArrayRef(shape));
  return entry;
}

}  // namespace

StWrite store_values(const std::string& name, const Tensor& values, ScaleFormat format) {
  const Tensor fp32 = values.contiguous();
  require_exact(name, fp32, format);
  if (format == ScaleFormat::kFp32) return {.name = name, .tensor = fp32};
  if (format == ScaleFormat::kBf16) return {.name = name, .tensor = fp32.to(at::kBFloat16)};
  return {.name = name,
          .tensor = encoded8(fp32, format),
          .raw_dtype = format == ScaleFormat::kE4M3 ? &kE4M3 : &kE8M0,
          .raw_shape = fp32.sizes().vec()};
}

Tensor load_values(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape,
                   ScaleFormat format) {
  checked_entry(file, name, dtype_of_values(format), shape);
  const Tensor stored = file.tensor(name);
  Tensor out = at::empty(shape, at::kFloat);
  if (stored.scalar_type() != at::kByte) {
    out.copy_(stored);
  } else {
    const uint8_t* code = stored.data_ptr<uint8_t>();
    for (int64_t i = 0; i < out.numel(); ++i) out.data_ptr<float>()[i] = decode8(code[i], format);
  }
  const float* v = out.data_ptr<float>();
  for (int64_t i = 0; i < out.numel(); ++i)
    SVDLAB_REQUIRE(std::isfinite(v[i]), Errc::kInput, file.path(), ": tensor ", printable(name), ": element ",
                   i, " is ", v[i], ", must be finite");
  return out;
}

StWrite store_codes(const std::string& name, const Tensor& codes, NumberFormat format, int bits) {
  const Tensor bytes = codes.contiguous();
  if (format == NumberFormat::kInt8) return {.name = name, .tensor = bytes.view(at::kChar)};
  if (bits > 4) return {.name = name, .tensor = bytes};
  const int64_t rows = bytes.size(0), cols = bytes.size(1);
  Tensor packed = at::empty({rows, packed_bytes(cols)}, at::kByte);
  for (int64_t r = 0; r < rows; ++r)
    pack_nibbles(bytes.data_ptr<uint8_t>() + r * cols, cols,
                 packed.data_ptr<uint8_t>() + r * packed_bytes(cols));
  return {.name = name, .tensor = packed};
}

Tensor load_codes(const SafetensorsFile& file, const std::string& name, int64_t rows, int64_t cols,
                  NumberFormat format, int bits) {
  if (format == NumberFormat::kInt8 || bits > 4) {
    checked_entry(file, name, format == NumberFormat::kInt8 ? StDtype::kI8 : StDtype::kU8, {rows, cols});
    return file.tensor(name).view(at::kByte).clone();
  }
  const int64_t row_bytes = packed_bytes(cols);
  const uint8_t* packed = checked_entry(file, name, StDtype::kU8, {rows, row_bytes}).data;
  Tensor out = at::empty({rows, cols}, at::kByte);
  for (int64_t r = 0; r < rows; ++r, packed += row_bytes) {
    unpack_nibbles(packed, cols, out.data_ptr<uint8_t>() + r * cols);
    SVDLAB_REQUIRE(cols % 2 == 0 || packed[row_bytes - 1] < 16, Errc::kInput, file.path(), ": tensor ",
                   printable(name), ": row ", r, " has ", cols, " codes, and something behind the last");
  }
  return out;
}

}  // namespace svdlab
