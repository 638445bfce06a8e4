#include "core/io/nunchaku_layout.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_identical;
using testing::throws_error;

// The layouts a second time, as the packing programs define them: cut each axis into digits and re-order
// these.

Tensor random_bytes(at::IntArrayRef sizes, const std::string& name, int values) {
  return testing::random_tensor(sizes, name).mul(1000).to(at::kLong).remainder(values).to(at::kByte);
}

Tensor random_bf16(at::IntArrayRef sizes, const std::string& name) {
  return testing::random_tensor(sizes, name).to(at::kBFloat16);
}

// Codes in the order of the file, two a byte.
Tensor bytes_of(const Tensor& ordered) {
  const Tensor pairs = ordered.reshape({-1, 2});
  return pairs.select(1, 0).bitwise_or(pairs.select(1, 1).mul(16));
}

struct Shape {
  int64_t rows, columns, rank;
};
const std::vector<Shape> kShapes = {{128, 64, 16}, {256, 192, 16}, {384, 128, 48}, {128, 3072, 32}};

TEST(NunchakuLayout, CodesAreInTheOrderOfTheFragments) {
  for (const Shape& s : kShapes) {
    const Tensor codes = random_bytes({s.rows, s.columns}, "codes", 16);
    const Tensor packed = pack_nunchaku_codes(codes);
    // n = nt p h l, k = kt u j e  ->  nt kt p l j h u e
    const Tensor ordered =
        codes.view({s.rows / 128, 8, 2, 8, s.columns / 64, 2, 4, 8}).permute({0, 4, 1, 3, 6, 2, 5, 7});
    EXPECT_EQ(packed.sizes().vec(), (std::vector<int64_t>{s.rows, s.columns / 2}));
    EXPECT_EQ(packed.scalar_type(), at::kChar);
    expect_identical(packed.view(at::kByte).view({-1}), bytes_of(ordered));
    expect_identical(unpack_nunchaku_codes(packed), codes);
  }
}

TEST(NunchakuLayout, ValuesOfRowsAreInterleavedBySixteen) {
  for (const Shape& s : kShapes)
    for (const int64_t groups : {int64_t{1}, s.columns / 64}) {
      const Tensor values = random_bf16({s.rows, groups}, "values");
      const Tensor packed = pack_nunchaku_rows(values);
      // n = nt a b c d  ->  nt g a c b d
      const Tensor ordered = values.view({s.rows / 128, 8, 2, 4, 2, groups}).permute({0, 5, 1, 3, 2, 4});
      EXPECT_EQ(packed.sizes().vec(), (std::vector<int64_t>{groups, s.rows}));
      expect_identical(packed.view({-1}), ordered.reshape({-1}));
      expect_identical(unpack_nunchaku_rows(packed), values);
    }
  const Tensor count = at::arange(128, at::kFloat).to(at::kBFloat16).view({128, 1});
  const Tensor first = pack_nunchaku_rows(count).view({-1}).slice(0, 0, 16).to(at::kFloat);
  expect_identical(first, at::tensor({0.f, 1.f, 8.f, 9.f, 2.f, 3.f, 10.f, 11.f, 4.f, 5.f, 12.f, 13.f, 6.f,
                                      7.f, 14.f, 15.f}));
}

TEST(NunchakuLayout, MicroScalesAreFourAlongKForEachOfFourRows) {
  for (const Shape& s : kShapes) {
    const Tensor scales = random_bytes({s.rows, s.columns / 16}, "scales", 127);
    const Tensor packed = pack_nunchaku_micro_scales(scales);
    // n = nt s q l, g = kt m  ->  nt kt l q s m
    const Tensor ordered =
        scales.view({s.rows / 128, 4, 4, 8, s.columns / 64, 4}).permute({0, 4, 3, 2, 1, 5});
    EXPECT_EQ(packed.sizes().vec(), (std::vector<int64_t>{s.columns / 16, s.rows}));
    expect_identical(packed.view({-1}), ordered.reshape({-1}));
    expect_identical(unpack_nunchaku_micro_scales(packed), scales);
  }
}

TEST(NunchakuLayout, FactorsAreTilesOfSixteenChannelsFirst) {
  for (const Shape& s : kShapes) {
    const Tensor down = random_bf16({s.rank, s.columns}, "down");
    const Tensor up = random_bf16({s.rows, s.rank}, "up");
    const Tensor packed_down = pack_nunchaku_down(down), packed_up = pack_nunchaku_up(up);
    // r = rt h l, k = ct u j e  ->  ct rt l j h u e
    const Tensor ordered_down =
        down.view({s.rank / 16, 2, 8, s.columns / 16, 2, 4, 2}).permute({3, 0, 2, 5, 1, 4, 6});
    // n = ct h l, r = rt u j e  ->  ct rt l j h u e
    const Tensor ordered_up =
        up.view({s.rows / 16, 2, 8, s.rank / 16, 2, 4, 2}).permute({0, 3, 2, 5, 1, 4, 6});
    EXPECT_EQ(packed_down.sizes().vec(), (std::vector<int64_t>{s.columns, s.rank}));
    EXPECT_EQ(packed_up.sizes().vec(), (std::vector<int64_t>{s.rows, s.rank}));
    expect_identical(packed_down.view({-1}), ordered_down.reshape({-1}));
    expect_identical(packed_up.view({-1}), ordered_up.reshape({-1}));
    expect_identical(unpack_nunchaku_down(packed_down), down);
    expect_identical(unpack_nunchaku_up(packed_up), up);
  }
}

TEST(NunchakuLayout, AwqCodesAreFourRowsOfSixtyFour) {
  for (const int64_t rows : {8, 12})
    for (const int64_t columns : {64, 128, 192}) {
      const Tensor codes = random_bytes({rows, columns}, "awq", 16);
      const Tensor packed = pack_awq_codes(codes);
      // n = a b, k = kt u v e (u of 2, v of 4, e of 8)  ->  a kt b u e v
      const Tensor ordered = codes.view({rows / 4, 4, columns / 64, 2, 4, 8}).permute({0, 2, 1, 3, 5, 4});
      EXPECT_EQ(packed.sizes().vec(), (std::vector<int64_t>{rows / 4, columns / 2}));
      EXPECT_EQ(packed.scalar_type(), at::kInt);
      expect_identical(packed.view(at::kByte).view({-1}), bytes_of(ordered));
      expect_identical(unpack_awq_codes(packed), codes);
    }
}

TEST(NunchakuLayout, TailsAreTheCallersToPad) {
  EXPECT_TRUE(throws_error(
      [] {
        pack_nunchaku_codes(at::zeros({130, 64}, at::kByte));
      },
      Errc::kUnexpected, {"130", "128 x 64"}));
  EXPECT_TRUE(throws_error([] { pack_nunchaku_rows(at::zeros({64, 1}, at::kBFloat16)); }, Errc::kUnexpected));
  EXPECT_TRUE(throws_error([] { pack_nunchaku_down(at::zeros({8, 64}, at::kBFloat16)); }, Errc::kUnexpected));
}

}  // namespace
}  // namespace svdlab
