// Numbers that the tests of other libraries expect, transcribed in peer_vectors.json with their sources.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/formats/bf16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e5m2.h"
#include "core/formats/fp8_e8m0.h"
#include "core/formats/nibbles.h"

namespace svdlab {
namespace {

using nlohmann::json;

class PeerVectors : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = SVDLAB_SOURCE_DIR "/../shared/data/peer_vectors.json";
    std::ifstream in(path);
    if (!in) GTEST_SKIP() << "no " << path;
    cases_ = json::parse(in).at("cases");
  }

  /// The tensors of the case from test function `name`, in source order.
  json tensors(const std::string& name) const {
    for (const json& c : cases_)
      if (c.at("source").get<std::string>().ends_with("::" + name)) return c.at("tensors");
    throw Error(Errc::kInput, "peer_vectors.json: no case " + name);
  }

  json cases_;
};

float absmax(const std::vector<float>& row) {
  float out = 0;
  for (const float x : row) out = std::fmax(out, std::fabs(x));
  return out;
}

// ModelOpt's MX quantization of one row that is one block.
template <class Encode, class Decode>
std::vector<float> mx_round_trip(const std::vector<float>& row, float largest, Encode encode, Decode decode) {
  const float scale = fp8_e8m0_decode(fp8_e8m0_encode_ceil(absmax(row) / largest));
  std::vector<float> out;
  for (const float x : row) out.push_back(decode(encode(x / scale)) * scale);
  return out;
}

TEST_F(PeerVectors, ModelOptMxfp4IsExact) {
  const json t = tensors("test_mxfp4");
  const auto in = t[0].at("value").get<std::vector<std::vector<float>>>();
  const auto out = t[1].at("value").get<std::vector<std::vector<float>>>();
  ASSERT_EQ(in.size(), 5u);
  for (size_t r = 0; r < in.size(); ++r)
    EXPECT_EQ(mx_round_trip(in[r], kFp4E2M1Max, fp4_e2m1_encode, fp4_e2m1_decode), out[r]) << "row " << r;
}

TEST_F(PeerVectors, ModelOptMxfp8WithinThePrintedDigits) {
  const json t = tensors("test_mxfp8");
  const auto in = t[0].at("value").get<std::vector<std::vector<float>>>();
  const auto expect = [&](const json& expected, float largest, auto encode, auto decode) {
    const auto out = expected.at("value").get<std::vector<std::vector<float>>>();
    ASSERT_EQ(in.size(), out.size());
    for (size_t r = 0; r < in.size(); ++r) {
      const auto got = mx_round_trip(in[r], largest, encode, decode);
      for (size_t c = 0; c < got.size(); ++c) {
        const bool ok = std::fabs(got[c] - out[r][c]) <= 1e-3f;
        EXPECT_TRUE(ok) << expected.at("name") << " row " << r << " column " << c << ": " << got[c] << " for "
                        << out[r][c];
      }
    }
  };
  expect(t[1], kFp8E4M3Max, fp8_e4m3_encode, fp8_e4m3_decode);
  expect(t[2], kFp8E5M2Max, fp8_e5m2_encode, fp8_e5m2_decode);
}

// torchao, MXFP8 with RCEIL scales: inputs are raw bits of float, or of bf16 where the source says uint16.
TEST_F(PeerVectors, TorchaoRceilScalesAndCodes) {
  const json t = tensors("test_to_mx_rceil");
  int blocks = 0;
  for (size_t i = 0; i + 2 < t.size(); ++i) {
    if (t[i].at("name") != "data_hp" || t[i + 1].at("name") != "ground_truth_scale") continue;
    SCOPED_TRACE(::testing::Message() << "line " << t[i].at("line"));
    const auto bits = t[i].at("value").get<std::vector<uint32_t>>();
    const bool narrow = std::all_of(bits.begin(), bits.end(), [](uint32_t b) { return b < 65536; });
    std::vector<float> row;
    for (const uint32_t b : bits)
      row.push_back(narrow ? bf16_decode(static_cast<uint16_t>(b)) : std::bit_cast<float>(b));
    const uint8_t scale = fp8_e8m0_encode_ceil(absmax(row) / kFp8E4M3Max);
    EXPECT_EQ(scale, t[i + 1].at("value").at(0).get<int>());
    std::vector<int> codes;
    for (const float x : row) codes.push_back(fp8_e4m3_encode(x / fp8_e8m0_decode(scale)));
    EXPECT_EQ(codes, t[i + 2].at("value").get<std::vector<int>>());
    ++blocks;
  }
  EXPECT_EQ(blocks, 7);
}

TEST_F(PeerVectors, ModelOptE2M1OrdinalRule) {
  const json t = tensors("test_cast_fp4_equivalence");
  const auto bounds = t[0].at("value").get<std::vector<float>>();
  const auto up = t[1].at("value").get<std::vector<int>>();
  ASSERT_EQ(bounds.size(), 7u);
  for (size_t i = 0; i < bounds.size(); ++i) {
    const int tie = static_cast<int>(i) + up[i];
    EXPECT_EQ(fp4_e2m1_encode(bounds[i]), tie);
    EXPECT_EQ(fp4_e2m1_encode(-bounds[i]), 8 + tie);
    EXPECT_EQ(fp4_e2m1_encode(std::nextafterf(bounds[i], 0)), i);
    EXPECT_EQ(fp4_e2m1_encode(std::nextafterf(bounds[i], 9)), i + 1);
  }
}

TEST_F(PeerVectors, CompressedTensorsPackKeepsSignedZeros) {
  const json t = tensors("test_pack_unpack");
  const auto rows = t[0].at("value").get<std::vector<std::vector<float>>>();
  ASSERT_EQ(rows.size(), 4u);
  for (const std::vector<float>& row : rows) {
    std::vector<uint8_t> codes, packed(static_cast<size_t>(packed_bytes(8))), back(8);
    for (const float x : row) codes.push_back(fp4_e2m1_encode(x));
    ASSERT_EQ(codes.size(), 8u);
    pack_nibbles(codes.data(), 8, packed.data());
    unpack_nibbles(packed.data(), 8, back.data());
    for (size_t i = 0; i < 8; ++i) {
      EXPECT_EQ(fp4_e2m1_decode(back[i]), row[i]);
      EXPECT_EQ(std::signbit(fp4_e2m1_decode(back[i])), std::signbit(row[i]));
    }
  }
}

}  // namespace
}  // namespace svdlab
