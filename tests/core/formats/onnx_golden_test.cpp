// The casts of ONNX's own node tests: the same numbers through an independent implementation.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "core/formats/fp16.h"
#include "core/formats/fp4_e2m1.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e5m2.h"
#include "core/formats/fp8_e8m0.h"
#include "core/formats/int4.h"
#include "core/formats/nibbles.h"
#include "core/formats/uint4.h"
#include "tests/support/onnx_tensor.h"

namespace svdlab {
namespace {

using testing::OnnxTensor;

std::vector<uint8_t> codes_of(const OnnxTensor& t) {
  if (t.type != OnnxTensor::kE2M1 && t.type != OnnxTensor::kInt4 && t.type != OnnxTensor::kUint4)
    return t.elements<uint8_t>();
  std::vector<uint8_t> codes(static_cast<size_t>(t.count()));
  SVDLAB_REQUIRE(static_cast<int64_t>(t.raw.size()) == packed_bytes(t.count()), Errc::kInput,
                 "onnx: packed size");
  unpack_nibbles(reinterpret_cast<const uint8_t*>(t.raw.data()), t.count(), codes.data());
  return codes;
}

std::vector<float> values_of(const OnnxTensor& t) {
  if (t.type == OnnxTensor::kFloat) return t.elements<float>();
  std::vector<float> out;
  for (const uint16_t code : t.elements<uint16_t>()) out.push_back(fp16_decode(code));
  return out;
}

class OnnxCast : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string root = SVDLAB_SOURCE_DIR "/../shared/data/onnx_node_golden";
    if (!std::filesystem::exists(root)) GTEST_SKIP() << "no " << root;
    root_ = root;
  }

  OnnxTensor read(const std::string& name, const std::string& file) const {
    return testing::read_onnx_tensor(root_ + "/test_" + name + "/test_data_set_0/" + file);
  }

  // Every element of the case, except those `skip` names by their input, encodes to the stored code.
  void expect_encodes(
      const std::string& name, size_t count, const std::function<uint8_t(float)>& encode,
      const std::function<bool(float)>& skip = [](float) { return false; }) const {
    SCOPED_TRACE(name);
    const auto inputs = values_of(read(name, "input_0.pb"));
    const auto codes = codes_of(read(name, "output_0.pb"));
    ASSERT_EQ(inputs.size(), codes.size());
    size_t compared = 0;
    for (size_t i = 0; i < codes.size(); ++i) {
      if (skip(inputs[i])) continue;
      ++compared;
      EXPECT_EQ(int{encode(inputs[i])}, int{codes[i]}) << "element " << i << " = " << inputs[i];
    }
    EXPECT_EQ(compared, count);
  }

  void expect_decodes(const std::string& name, size_t count,
                      const std::function<float(uint8_t)>& decode) const {
    SCOPED_TRACE(name);
    const auto codes = codes_of(read(name, "input_0.pb"));
    const auto values = values_of(read(name, "output_0.pb"));
    ASSERT_EQ(codes.size(), count);
    ASSERT_EQ(values.size(), count);
    for (size_t i = 0; i < count; ++i) {
      const float x = decode(codes[i]);
      EXPECT_TRUE(x == values[i] || (std::isnan(x) && std::isnan(values[i]))) << "element " << i << ": " << x;
      EXPECT_TRUE(std::isnan(x) || std::signbit(x) == std::signbit(values[i])) << "element " << i;
    }
  }

  std::string root_;
};

TEST_F(OnnxCast, E2M1) {
  expect_encodes("cast_FLOAT_to_FLOAT4E2M1", 15, fp4_e2m1_encode);
  expect_encodes("cast_FLOAT16_to_FLOAT4E2M1", 15, fp4_e2m1_encode);
}

TEST_F(OnnxCast, E4M3) {
  expect_encodes("cast_FLOAT_to_FLOAT8E4M3FN", 15, fp8_e4m3_encode);
  expect_encodes("cast_FLOAT16_to_FLOAT8E4M3FN", 15, fp8_e4m3_encode);
  expect_decodes("cast_FLOAT8E4M3FN_to_FLOAT", 15, fp8_e4m3_decode);
}

TEST_F(OnnxCast, E5M2) {
  expect_encodes("cast_no_saturate_FLOAT_to_FLOAT8E5M2", 15, fp8_e5m2_encode);
  expect_decodes("cast_FLOAT8E5M2_to_FLOAT", 15, fp8_e5m2_decode);
}

TEST_F(OnnxCast, E8M0RoundedUp) {
  expect_encodes("cast_e8m0_FLOAT_to_FLOAT8E8M0", 8, fp8_e8m0_encode_ceil);
  expect_encodes("cast_e8m0_FLOAT16_to_FLOAT8E8M0", 8, fp8_e8m0_encode_ceil);
  // The result is fp16 there, where 2^-127 is zero.
  expect_decodes("cast_e8m0_FLOAT8E8M0_to_FLOAT16", 8,
                 [](uint8_t c) { return fp16_round(fp8_e8m0_decode(c)); });
}

// ONNX's Cast to an integer wraps around outside the range and keeps -8; we clip to +-7. Inside they agree.
TEST_F(OnnxCast, IntegersInsideTheirRange) {
  const auto not_int4 = [](float x) { return std::fabs(x) > 7; };
  expect_encodes("cast_FLOAT_to_INT4", 15, int4_encode, not_int4);
  expect_encodes("cast_FLOAT16_to_INT4", 15, int4_encode, not_int4);
  const auto not_uint4 = [](float x) { return x < 0 || x > 15; };
  expect_encodes("cast_FLOAT_to_UINT4", 16, uint4_encode, not_uint4);
  expect_encodes("cast_FLOAT16_to_UINT4", 16, uint4_encode, not_uint4);
  expect_decodes("cast_UINT4_to_FLOAT", 25, uint4_decode);
}

// QuantizeLinear(x, scale per row) with zero point 0; -0 + 0 is +0 there, so signs of zero are not compared.
TEST_F(OnnxCast, QuantizeLinearToE2M1) {
  const auto x = values_of(read("quantizelinear_float4e2m1", "input_0.pb"));
  const auto scale = values_of(read("quantizelinear_float4e2m1", "input_1.pb"));
  const auto codes = codes_of(read("quantizelinear_float4e2m1", "output_0.pb"));
  ASSERT_EQ(x.size(), 12u);
  ASSERT_EQ(codes.size(), 12u);
  for (size_t i = 0; i < 12; ++i)
    EXPECT_EQ(fp4_e2m1_decode(fp4_e2m1_encode(x[i] / scale[i / 4])), fp4_e2m1_decode(codes[i])) << i;
}

TEST_F(OnnxCast, DequantizeLinearByTwo) {
  const auto expect = [&](const std::string& name, const std::function<float(uint8_t)>& decode,
                          float zero_point) {
    SCOPED_TRACE(name);
    const auto codes = codes_of(read(name, "input_0.pb"));
    const auto values = values_of(read(name, "output_0.pb"));
    ASSERT_EQ(codes.size(), 5u);
    for (size_t i = 0; i < 5; ++i) EXPECT_EQ((decode(codes[i]) - zero_point) * 2, values[i]) << i;
  };
  expect("dequantizelinear_float4e2m1", fp4_e2m1_decode, 0);
  expect("dequantizelinear_e4m3fn_zero_point", fp8_e4m3_decode, 0);
  expect("dequantizelinear_e4m3fn_float16", fp8_e4m3_decode, 0);
  expect("dequantizelinear_int4", int4_decode, 1);
  expect("dequantizelinear_uint4", uint4_decode, 1);
}

}  // namespace
}  // namespace svdlab
