#include "core/io/nunchaku_layout.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

using Bf16 = c10::BFloat16;

// Position of code (n, k) counted in codes: a warp's lane 4l + j owns 16 consecutive bytes of a tile.
int64_t code_index(int64_t n, int64_t k, int64_t k_tiles) {
  const int64_t p = n % 128 / 16, h = n % 16 / 8, l = n % 8;
  const int64_t u = k % 64 / 32, j = k % 32 / 8, e = k % 8;
  const int64_t tile = n / 128 * k_tiles + k / 64;
  const int64_t word = (((tile * 8 + p) * 8 + l) * 4 + j) * 4 + 2 * h + u;
  return word * 8 + e;
}

int64_t row_index(int64_t n, int64_t g, int64_t groups) {
  const int64_t a = n % 128 / 16, b = n % 16 / 8, c = n % 8 / 2, d = n % 2;
  return (n / 128 * groups + g) * 128 + 16 * a + 4 * c + 2 * b + d;
}

int64_t micro_scale_index(int64_t n, int64_t g, int64_t k_tiles) {
  const int64_t s = n % 128 / 32, q = n % 32 / 8, l = n % 8;
  return ((n / 128 * k_tiles + g / 4) * 32 + 4 * l + q) * 16 + 4 * s + g % 4;
}

// (row, column) in the 16 x 16 tile `tile` of a factor.
int64_t factor_index(int64_t tile, int64_t row, int64_t column) {
  const int64_t h = row / 8, l = row % 8;
  const int64_t u = column / 8, j = column % 8 / 2, e = column % 2;
  return (((tile * 8 + l) * 4 + j) * 2 + h) * 4 + 2 * u + e;
}

// Position of code (n, k) counted in codes.
int64_t awq_index(int64_t n, int64_t k, int64_t k_tiles) {
  const int64_t half = (n / 4 * k_tiles + k / 64) * 64 + n % 4 * 16 + k % 64 / 32 * 8 + k % 8;
  return half * 4 + k % 32 / 8;
}

void require(const Tensor& t, at::ScalarType type, int64_t rows, int64_t columns, const char* what) {
  SVDLAB_REQUIRE(t.dim() == 2 && t.scalar_type() == type && t.is_contiguous() && t.device().is_cpu(),
                 Errc::kUnexpected, what, ": need a contiguous CPU matrix of ", type, ", got ", t.dtype(),
                 " ", t.sizes());
  SVDLAB_REQUIRE(t.size(0) % rows == 0 && t.size(1) % columns == 0, Errc::kUnexpected, what, ": ", t.sizes(),
                 " does not fill tiles of ", rows, " x ", columns);
}

// packed[index(r, c)] = logical(r, c)
template <class T, class Index>
Tensor scattered(const Tensor& logical, at::IntArrayRef shape, Index index) {
  Tensor packed = at::empty(shape, logical.scalar_type());
  const T* from = logical.data_ptr<T>();
  T* to = packed.data_ptr<T>();
  for (int64_t r = 0; r < logical.size(0); ++r)
    for (int64_t c = 0; c < logical.size(1); ++c) to[index(r, c)] = *from++;
  return packed;
}

// logical(r, c) = packed[index(r, c)]
template <class T, class Index>
Tensor gathered(const Tensor& packed, at::IntArrayRef shape, Index index) {
  Tensor logical = at::empty(shape, packed.scalar_type());
  const T* from = packed.data_ptr<T>();
  T* to = logical.data_ptr<T>();
  for (int64_t r = 0; r < shape[0]; ++r)
    for (int64_t c = 0; c < shape[1]; ++c) *to++ = from[index(r, c)];
  return logical;
}

// Two codes a byte, the one at the even position in the low nibble.
template <class Index>
void pack_codes(const Tensor& codes, uint8_t* packed, Index index) {
  const uint8_t* code = codes.data_ptr<uint8_t>();
  for (int64_t n = 0; n < codes.size(0); ++n)
    for (int64_t k = 0; k < codes.size(1); ++k) {
      const int64_t i = index(n, k);
      packed[i / 2] = static_cast<uint8_t>(packed[i / 2] | (*code++ & 0xf) << 4 * (i % 2));
    }
}

template <class Index>
Tensor unpack_codes(const uint8_t* packed, at::IntArrayRef shape, Index index) {
  Tensor codes = at::empty(shape, at::kByte);
  uint8_t* code = codes.data_ptr<uint8_t>();
  for (int64_t n = 0; n < shape[0]; ++n)
    for (int64_t k = 0; k < shape[1]; ++k) {
      const int64_t i = index(n, k);
      *code++ = packed[i / 2] >> 4 * (i % 2) & 0xf;
    }
  return codes;
}

auto code_map(int64_t columns) {
  return [tiles = columns / 64](int64_t n, int64_t k) { return code_index(n, k, tiles); };
}
auto row_map(int64_t groups) {
  return [groups](int64_t n, int64_t g) { return row_index(n, g, groups); };
}
auto micro_scale_map(int64_t groups) {
  return [tiles = groups / 4](int64_t n, int64_t g) { return micro_scale_index(n, g, tiles); };
}
// Tiles run over the channels (k or n) first, whichever axis of the factor they are.
auto down_map(int64_t rank) {
  return [tiles = rank / 16](int64_t r, int64_t k) {
    return factor_index(k / 16 * tiles + r / 16, r % 16, k % 16);
  };
}
auto up_map(int64_t rank) {
  return [tiles = rank / 16](int64_t n, int64_t r) {
    return factor_index(n / 16 * tiles + r / 16, n % 16, r % 16);
  };
}
auto awq_map(int64_t columns) {
  return [tiles = columns / 64](int64_t n, int64_t k) { return awq_index(n, k, tiles); };
}

}  // namespace

Tensor pack_nunchaku_codes(const Tensor& codes) {
  require(codes, at::kByte, 128, 64, "codes");
  Tensor packed = at::zeros({codes.size(0), codes.size(1) / 2}, at::kChar);
  pack_codes(codes, reinterpret_cast<uint8_t*>(packed.data_ptr<int8_t>()), code_map(codes.size(1)));
  return packed;
}
Tensor unpack_nunchaku_codes(const Tensor& packed) {
  require(packed, at::kChar, 128, 32, "packed codes");
  const int64_t columns = 2 * packed.size(1);
  return unpack_codes(reinterpret_cast<const uint8_t*>(packed.data_ptr<int8_t>()), {packed.size(0), columns},
                      code_map(columns));
}

Tensor pack_nunchaku_rows(const Tensor& values) {
  require(values, at::kBFloat16, 128, 1, "values of rows");
  return scattered<Bf16>(values, {values.size(1), values.size(0)}, row_map(values.size(1)));
}
Tensor unpack_nunchaku_rows(const Tensor& packed) {
  require(packed, at::kBFloat16, 1, 128, "packed values of rows");
  return gathered<Bf16>(packed, {packed.size(1), packed.size(0)}, row_map(packed.size(0)));
}

Tensor pack_nunchaku_micro_scales(const Tensor& scales) {
  require(scales, at::kByte, 128, 4, "micro scales");
  return scattered<uint8_t>(scales, {scales.size(1), scales.size(0)}, micro_scale_map(scales.size(1)));
}
Tensor unpack_nunchaku_micro_scales(const Tensor& packed) {
  require(packed, at::kByte, 4, 128, "packed micro scales");
  return gathered<uint8_t>(packed, {packed.size(1), packed.size(0)}, micro_scale_map(packed.size(0)));
}

Tensor pack_nunchaku_down(const Tensor& down) {
  require(down, at::kBFloat16, 16, 16, "down factor");
  return scattered<Bf16>(down, {down.size(1), down.size(0)}, down_map(down.size(0)));
}
Tensor unpack_nunchaku_down(const Tensor& packed) {
  require(packed, at::kBFloat16, 16, 16, "packed down factor");
  return gathered<Bf16>(packed, {packed.size(1), packed.size(0)}, down_map(packed.size(1)));
}

Tensor pack_nunchaku_up(const Tensor& up) {
  require(up, at::kBFloat16, 16, 16, "up factor");
  return scattered<Bf16>(up, up.sizes(), up_map(up.size(1)));
}
Tensor unpack_nunchaku_up(const Tensor& packed) {
  require(packed, at::kBFloat16, 16, 16, "packed up factor");
  return gathered<Bf16>(packed, packed.sizes(), up_map(packed.size(1)));
}

Tensor pack_awq_codes(const Tensor& codes) {
  require(codes, at::kByte, 4, 64, "AWQ codes");
  Tensor packed = at::zeros({codes.size(0) / 4, codes.size(1) / 2}, at::kInt);
  pack_codes(codes, reinterpret_cast<uint8_t*>(packed.data_ptr<int32_t>()), awq_map(codes.size(1)));
  return packed;
}
Tensor unpack_awq_codes(const Tensor& packed) {
  require(packed, at::kInt, 1, 32, "packed AWQ codes");
  const int64_t columns = 2 * packed.size(1);
  return unpack_codes(reinterpret_cast<const uint8_t*>(packed.data_ptr<int32_t>()),
                      {4 * packed.size(0), columns}, awq_map(columns));
}

}  // namespace svdlab
