#include "kernels/packed_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "core/formats/fp8_e4m3.h"
#include "kernels/quantize_matrix.h"
#include "tests/kernels/fused_numbers.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::mixed;
using testing::throws_error;

// Every code of the format in every column's place, scales of the format, in a shape of incomplete tiles.
struct Source {
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  CodedMatrix view;

  Source(NumberFormat format, ScaleFormat scale, int64_t group, int64_t rows, int64_t cols, uint8_t least = 0)
      : codes(rows * cols), scales(rows * (cols / group)) {
    const bool bytes = format == NumberFormat::kInt8;
    for (size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<uint8_t>((i + mixed(1, i / 16)) & (bytes ? 0xff : 0xf));
      if (codes[i] == 8 && least != 0) codes[i] = least;  // 8 is -8 as int4
    }
    for (size_t i = 0; i < scales.size(); ++i) {
      const float value = std::exp2(testing::bell(2, i));
      scales[i] = scale == ScaleFormat::kBf16   ? bf16_round(value)
                  : scale == ScaleFormat::kE4M3 ? fp8_e4m3_decode(fp8_e4m3_encode(value))
                  : scale == ScaleFormat::kE8M0 ? std::exp2(std::round(std::log2(value)))
                                                : value;
    }
    view = {format, group, {codes.data(), rows, cols}, {scales.data(), rows, cols / group}, 0.25f};
  }
};

struct Kind {
  const char* name;
  NumberFormat format;
  ScaleFormat scale;
  int64_t group;
  CodeLayout layout;
};

class PackedMatrixKinds : public ::testing::TestWithParam<Kind> {};
INSTANTIATE_TEST_SUITE_P(
    All, PackedMatrixKinds,
    ::testing::Values(
        Kind{"int4_nibbles", NumberFormat::kInt4, ScaleFormat::kBf16, 64, CodeLayout::kNibbles},
        Kind{"int4_e4m3", NumberFormat::kInt4, ScaleFormat::kBf16, 64, CodeLayout::kE4M3},
        Kind{"int4_fragments", NumberFormat::kInt4, ScaleFormat::kBf16, 64, CodeLayout::kFragments64},
        Kind{"int4_signed_fragments", NumberFormat::kInt4, ScaleFormat::kBf16, 64,
             CodeLayout::kSignedFragments64},
        Kind{"uint4_nibbles", NumberFormat::kUint4, ScaleFormat::kBf16, 64, CodeLayout::kNibbles},
        Kind{"uint4_e4m3", NumberFormat::kUint4, ScaleFormat::kBf16, 64, CodeLayout::kE4M3},
        Kind{"e2m1_nibbles", NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16, CodeLayout::kNibbles},
        Kind{"e2m1_e4m3", NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16, CodeLayout::kE4M3},
        Kind{"mx_nibbles", NumberFormat::kFp4E2M1, ScaleFormat::kE8M0, 32, CodeLayout::kNibbles},
        Kind{"nf4_nibbles", NumberFormat::kNf4, ScaleFormat::kBf16, 64, CodeLayout::kNibbles},
        Kind{"int8_bytes", NumberFormat::kInt8, ScaleFormat::kFp32, 192, CodeLayout::kBytes}),
    [](const auto& info) { return info.param.name; });

TEST_P(PackedMatrixKinds, UnpackingGivesBackWhatWasPacked) {
  const Kind kind = GetParam();
  const bool no_least = kind.layout == CodeLayout::kSignedFragments64;
  for (const int64_t rows : {1, 7, 64, 130}) {
    const Source source(kind.format, kind.scale, kind.group, rows, 192, no_least ? 9 : 0);
    const PackedBuffer packed = pack_matrix(source.view, kind.layout, kind.scale);
    const UnpackedMatrix back = unpack_matrix(packed.view());
    EXPECT_EQ(back.codes, source.codes);
    EXPECT_EQ(back.scales, source.scales);
    EXPECT_EQ(back.tensor_scale, 0.25f);
    EXPECT_EQ(back.columns(0, 192).format, kind.format);
    EXPECT_EQ(back.columns(0, 192).group, kind.group);
  }
}

TEST(PackedMatrix, UnsignedColumnsBeginWhereSaid) {
  const Source source(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 3, 192);
  for (const CodeLayout layout : {CodeLayout::kNibbles, CodeLayout::kE4M3}) {
    const PackedBuffer packed = pack_matrix(source.view, layout, ScaleFormat::kBf16, 128);
    const UnpackedMatrix back = unpack_matrix(packed.view());
    EXPECT_EQ(back.codes, source.codes);
    EXPECT_EQ(back.columns(0, 128).format, NumberFormat::kInt4);
    EXPECT_EQ(back.columns(128, 192).format, NumberFormat::kUint4);
    EXPECT_EQ(back.columns(128, 192).codes(2, 5), source.codes[2 * 192 + 133]);
    EXPECT_EQ(back.columns(128, 192).scales(1, 0), source.scales[1 * 3 + 2]);
    EXPECT_TRUE(throws_error([&] { back.columns(64, 192); }, Errc::kUnexpected, {"64", "192"}));
  }
}

TEST(PackedMatrix, E4M3BytesEqualWhatTheCodesStandFor) {
  const Source source(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 3, 192);
  const PackedBuffer packed = pack_matrix(source.view, CodeLayout::kE4M3, ScaleFormat::kBf16, 128);
  for (int64_t r = 0; r < 3; ++r)
    for (int64_t c = 0; c < 192; ++c) {
      const uint8_t code = source.codes[r * 192 + c];
      const int value = c < 128 ? (code ^ 8) - 8 : code;
      ASSERT_EQ(fp8_e4m3_decode(packed.codes[r * 192 + c]), static_cast<float>(value)) << r << " " << c;
    }
}

// The sentence of the header, written out thread by thread.
TEST(PackedMatrix, FragmentsFollowTheWarpgroupsRegisters) {
  constexpr int64_t kRows = 128, kCols = 192;
  std::set<int64_t> seen;
  for (int64_t tile = 0; tile < 2 * 3; ++tile)
    for (int64_t t = 0; t < 128; ++t)
      for (int64_t s = 0; s < 2; ++s)
        for (int64_t i = 0; i < 2; ++i)
          for (int64_t e = 0; e < 8; ++e) {
            const int64_t l = t % 32;
            const int64_t row = tile / 3 * 64 + 16 * (t / 32) + l / 4 + 8 * i;
            const int64_t col = tile % 3 * 64 + 32 * s + 16 * (e / 4) + 4 * (l % 4) + e % 4;
            const int64_t nibble = 2 * (2048 * tile + 16 * t + 4 * (2 * s + i)) + e;
            ASSERT_EQ(fragment_nibble(row, col, kCols), nibble);
            seen.insert(nibble);
          }
  EXPECT_EQ(static_cast<int64_t>(seen.size()), kRows * kCols);
}

// What the layout is for: one AND, or one after a rotation, leaves e4m3 numbers worth code * 2^-9.
TEST(PackedMatrix, SignedFragmentsBecomeE4M3WithOneAnd) {
  const Source source(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 64, 64, 9);
  const PackedBuffer packed = pack_matrix(source.view, CodeLayout::kSignedFragments64, ScaleFormat::kBf16);
  for (int64_t row = 0; row < 64; ++row)
    for (int64_t col = 0; col < 64; ++col) {
      const int64_t nibble = fragment_nibble(row, col, 64);
      uint32_t word = 0;
      std::memcpy(&word, &packed.codes[nibble / 8 * 4], 4);
      const int64_t e = nibble % 8;
      const uint32_t bytes = (e < 4 ? word : std::rotr(word, 4)) & 0x87878787u;
      const float value = fp8_e4m3_decode(static_cast<uint8_t>(bytes >> 8 * (e % 4)));
      const int code = ((source.codes[row * 64 + col] & 0xf) ^ 8) - 8;
      ASSERT_EQ(value * 512.0f, static_cast<float>(code)) << row << " " << col;
      ASSERT_FALSE(code == 0 && std::signbit(value));
    }
}

TEST(PackedMatrix, EveryBitOfASignedWordHasOneOwner) {
  uint32_t owned = 0;
  for (int e = 0; e < 8; ++e) {
    const SignedBits bits = signed_fragment_bits(e);
    const uint32_t mine = 7u << bits.magnitude | 1u << bits.sign;
    EXPECT_EQ(owned & mine, 0u);
    owned |= mine;
  }
  EXPECT_EQ(owned, 0xffffffffu);
}

TEST(PackedMatrix, PaddingIsZeroAndScalesLieAsSaid) {
  const Source bf16(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 5, 128, 9);
  const PackedBuffer fragments = pack_matrix(bf16.view, CodeLayout::kSignedFragments64, ScaleFormat::kBf16);
  EXPECT_EQ(fragments.codes.size(), 2u * 2048u);
  for (int64_t row = 5; row < 64; ++row)
    for (int64_t col = 0; col < 128; col += 4)
      EXPECT_EQ(fragments.codes[fragment_nibble(row, col, 128) / 2], 0);
  EXPECT_EQ(fragments.shape.scale_stride, 8);  // five rows, padded to 16 bytes
  uint16_t scale = 0;
  std::memcpy(&scale, &fragments.scales[2 * (1 * 8 + 3)], 2);
  EXPECT_EQ(bf16_decode(scale), bf16.scales[3 * 2 + 1]);

  const Source e4m3(NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16, 5, 128);
  const PackedBuffer nibbles = pack_matrix(e4m3.view, CodeLayout::kNibbles, ScaleFormat::kE4M3);
  EXPECT_EQ(nibbles.shape.scale_stride, 16);  // eight groups, padded to 16 bytes
  EXPECT_EQ(fp8_e4m3_decode(nibbles.scales[3 * 16 + 6]), e4m3.scales[3 * 8 + 6]);
  EXPECT_EQ(nibbles.codes[2 * 64 + 5], e4m3.codes[2 * 128 + 10] | e4m3.codes[2 * 128 + 11] << 4);
}

TEST(PackedMatrix, RowPowersAreTheLargestScaleRoundedDown) {
  const Source source(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 9, 192);
  const PackedBuffer packed = pack_matrix(source.view, CodeLayout::kNibbles, ScaleFormat::kBf16);
  for (int64_t r = 0; r < 9; ++r) {
    const float largest =
        std::max({source.scales[3 * r], source.scales[3 * r + 1], source.scales[3 * r + 2]});
    EXPECT_EQ(packed.row_powers[r], std::exp2(std::floor(std::log2(largest))));
  }
}

TEST(PackedMatrixRefusals, NameWhatDoesNotFit) {
  const Source least(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 2, 64);
  EXPECT_TRUE(
      throws_error([&] { pack_matrix(least.view, CodeLayout::kSignedFragments64, ScaleFormat::kBf16); },
                   Errc::kConfig, {"code -8 at (0, ", "signed_fragments64"}));
  EXPECT_TRUE(throws_error([&] { pack_matrix(least.view, CodeLayout::kBytes, ScaleFormat::kBf16); },
                           Errc::kConfig, {"int4", "bytes"}));
  const Source nf4(NumberFormat::kNf4, ScaleFormat::kBf16, 64, 2, 64);
  EXPECT_TRUE(throws_error([&] { pack_matrix(nf4.view, CodeLayout::kE4M3, ScaleFormat::kBf16); },
                           Errc::kConfig, {"nf4", "e4m3"}));
  const Source narrow(NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16, 2, 80);
  EXPECT_TRUE(throws_error([&] { pack_matrix(narrow.view, CodeLayout::kFragments64, ScaleFormat::kE4M3); },
                           Errc::kInput, {"80 columns", "64"}));
  const Source fp32(NumberFormat::kInt4, ScaleFormat::kFp32, 64, 2, 64);
  EXPECT_TRUE(throws_error([&] { pack_matrix(fp32.view, CodeLayout::kNibbles, ScaleFormat::kBf16); },
                           Errc::kInput, {"scale(0, 0)"}));
  EXPECT_TRUE(throws_error([&] { pack_matrix(least.view, CodeLayout::kNibbles, ScaleFormat::kBf16, 32); },
                           Errc::kInput, {"unsigned_from 32"}));
}

TEST(PackedMatrixRefusals, StridesAndAlignment) {
  const Source source(NumberFormat::kInt4, ScaleFormat::kBf16, 64, 4, 128);
  const PackedBuffer packed = pack_matrix(source.view, CodeLayout::kNibbles, ScaleFormat::kBf16);
  const auto refuses = [&](auto change, const char* part) {
    PackedMatrix m = packed.view();
    change(m);
    return throws_error([&] { check_packed(m, "here"); }, Errc::kInput, {"here", part});
  };
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.code_stride = 48; }, "code stride 48"));
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.code_stride = 72; }, "code stride 72"));
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.scale_stride = 4; }, "scale stride 4"));
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.codes += 4; }, "codes lies 4 bytes"));
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.scales = nullptr; }, "scales is missing"));
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.group = 48; }, "group 48"));
  EXPECT_TRUE(refuses([](PackedMatrix& m) { m.rows = 0; }, "[0, 128]"));
}

}  // namespace
}  // namespace svdlab
