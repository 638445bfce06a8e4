#include "core/runtime/pack_weight.h"

#include <gtest/gtest.h>

#include <cstring>

#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::random_tensor;
using testing::throws_error;

struct Form {
  const char* scheme;
  CodeLayout layout;
};

class PackWeight : public ::testing::TestWithParam<Form> {};

bool same_bytes(const Tensor& tensor, const void* bytes, size_t size) {
  return static_cast<size_t>(tensor.numel() * tensor.element_size()) == size &&
         std::memcmp(tensor.data_ptr(), bytes, size) == 0;
}

// 72 rows: fragments are padded, scale lines of bf16 are not a multiple of 16 bytes before padding.
TEST_P(PackWeight, EqualsThePlainLoopToTheByte) {
  const TensorScheme scheme = *scheme_named(GetParam().scheme).weights;
  for (const int64_t rows : {72, 64, 8}) {
    const QuantizedTensor q = quantize(random_tensor({rows, 320}, "w"), scheme);
    const PackedBuffer expected = pack_matrix(coded_matrix(q), GetParam().layout, scheme.scale);
    const PackedWeight actual = pack_weight(q, GetParam().layout, at::kCPU);
    EXPECT_TRUE(same_bytes(actual.codes, expected.codes.data(), expected.codes.size())) << rows;
    EXPECT_TRUE(same_bytes(actual.scales, expected.scales.data(), expected.scales.size())) << rows;
    EXPECT_TRUE(same_bytes(actual.row_powers, expected.row_powers.data(), 4 * expected.row_powers.size()));
    const UnpackedMatrix back = unpack_matrix(actual.view());
    EXPECT_TRUE(same_bytes(q.codes, back.codes.data(), back.codes.size()));
    EXPECT_EQ(back.tensor_scale, q.tensor_scale);
  }
}

INSTANTIATE_TEST_SUITE_P(
    AllForms, PackWeight,
    ::testing::Values(Form{"int4", CodeLayout::kSignedFragments64}, Form{"int4", CodeLayout::kFragments64},
                      Form{"int4", CodeLayout::kNibbles}, Form{"nvfp4", CodeLayout::kNibbles},
                      Form{"w8a8", CodeLayout::kBytes}, Form{"w4a16-nf4-g64", CodeLayout::kNibbles}));

TEST(PackWeightRefuses, WhatHasNoForm) {
  const Tensor w = random_tensor({8, 64}, "w");
  QuantizedTensor q = quantize(w, *scheme_named("int4").weights);
  q.codes[3][5] = 8;
  EXPECT_TRUE(throws_error([&] { pack_weight(q, CodeLayout::kSignedFragments64, at::kCPU); }, Errc::kConfig,
                           {"code -8"}));
  QuantizedTensor odd = quantize(w, *scheme_named("int4").weights);
  odd.scales[1][0] = 0.1;
  EXPECT_TRUE(
      throws_error([&] { pack_weight(odd, CodeLayout::kNibbles, at::kCPU); }, Errc::kInput, {"bf16"}));
  const QuantizedTensor mx = quantize(w, *scheme_named("mxfp4").weights);
  EXPECT_TRUE(throws_error([&] { pack_weight(mx, CodeLayout::kNibbles, at::kCPU); }, Errc::kConfig,
                           {"groups of 32"}));
}

}  // namespace
}  // namespace svdlab
