#include "core/io/exported_tensor.h"

#include <cmath>

#include "core/base/error.h"
#include "core/formats/fp8_e4m3.h"

namespace svdlab {
namespace {

constexpr StDtype kE4M3 = StDtype::kF8E4M3;

}  // namespace

bool has_tensor(const SafetensorsFile& file, const std::string& name) {
  return file.entries().count(name) > 0;
}

StWrite bf16_tensor(const std::string& name, const Tensor& values) {
  return {.name = name, .tensor = values.to(at::kBFloat16).contiguous()};
}

StWrite e4m3_tensor(const std::string& name, const Tensor& bits) {
  return {.name = name, .tensor = bits, .raw_dtype = &kE4M3, .raw_shape = bits.sizes().vec()};
}

Tensor checked_tensor(const SafetensorsFile& file, const std::string& name, StDtype dtype,
                      const std::vector<int64_t>& shape) {
  const auto found = file.entries().find(name);
  SVDLAB_REQUIRE(found != file.entries().end(), Errc::kInput, file.path(), ": no tensor ", printable(name));
  const StEntry& entry = found->second;
  SVDLAB_REQUIRE(entry.dtype == dtype && entry.shape == shape, Errc::kInput, file.path(), ": tensor ",
                 printable(name), " is ", to_string(entry.dtype), " ", at::IntArrayRef(entry.shape),
                 ", must be ", to_string(dtype), " ", at::IntArrayRef(shape));
  const Tensor tensor = file.tensor(name);
  SVDLAB_REQUIRE(!tensor.is_floating_point() || at::isfinite(tensor).all().item<bool>(), Errc::kInput,
                 file.path(), ": tensor ", printable(name), " has values that are not finite");
  return tensor;
}

Tensor e4m3_bits(const Tensor& values) {
  const Tensor from = values.contiguous();
  Tensor bits = at::empty(from.sizes(), at::kByte);
  for (int64_t i = 0; i < from.numel(); ++i)
    bits.data_ptr<uint8_t>()[i] = fp8_e4m3_encode(from.data_ptr<float>()[i]);
  return bits;
}

Tensor e4m3_values(const Tensor& bits, const std::string& what) {
  Tensor values = at::empty(bits.sizes(), at::kFloat);
  const uint8_t* from = bits.data_ptr<uint8_t>();
  float* to = values.data_ptr<float>();
  for (int64_t i = 0; i < bits.numel(); ++i) {
    to[i] = fp8_e4m3_decode(from[i]);
    SVDLAB_REQUIRE(std::isfinite(to[i]), Errc::kInput, what, ": element ", i, " is no number");
  }
  return values;
}

Tensor enlarged(const Tensor& t, int64_t rows, int64_t columns, double value) {
  Tensor out = at::full({rows, columns}, value, t.options());
  out.slice(0, 0, t.size(0)).slice(1, 0, t.size(1)).copy_(t);
  return out;
}

Tensor padded(const Tensor& t, int64_t rows, int64_t columns, double value) {
  return enlarged(t, round_up(t.size(0), rows), round_up(t.size(1), columns), value);
}

void trim_rank(Tensor& down, Tensor& up) {
  int64_t rank = down.size(0);
  while (rank > 0 && !up.select(1, rank - 1).any().item<bool>()) --rank;
  down = down.slice(0, 0, rank).contiguous();
  up = up.slice(1, 0, rank).contiguous();
}

}  // namespace svdlab
