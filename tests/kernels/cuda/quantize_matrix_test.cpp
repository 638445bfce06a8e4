// quantize_matrix, encode_matrix and dequantize_matrix on a GPU: the bits of the CPU.
#include "kernels/quantize_matrix.h"

#include "core/base/rng.h"
#include "kernels/dequantize_matrix.h"
#include "tests/kernels/cuda/on_gpu.h"

namespace svdlab {
namespace {

using testing::Memory;

struct Problem {
  int64_t rows, cols;
  QuantizeSpec spec;
  bool one_row = false, divided = false;
};

struct Result {
  std::vector<uint8_t> codes, encoded;
  std::vector<float> scales, values;
  float tensor_scale = 0;
};

// Magnitudes over several powers of ten, zeros, ties, a group of zeros and one of subnormals.
std::vector<float> numbers(int64_t count, const std::string& name) {
  const Rng rng(3, name);
  std::vector<float> out(count);
  for (int64_t i = 0; i < count; ++i) {
    const double u = rng.uniform(static_cast<uint64_t>(i)) - 0.5;
    out[i] = static_cast<float>(i % 7 == 0 ? std::round(16 * u) / 4 : u * std::exp2(i % 13));
    if (i % 251 < 16) out[i] = 0;
    if (i % 509 < 16) out[i] *= 0x1p-130f;
  }
  return out;
}

Result run(const Problem& p, Device device) {
  Memory memory(device);
  const int64_t groups = p.cols / p.spec.group, scale_rows = p.one_row ? 1 : p.rows;
  std::vector<float> by = numbers(p.cols, "by");
  for (float& b : by) b = std::fabs(b) + 0.25f;
  const MatrixView<const float> x(memory.put(numbers(p.rows * p.cols, "x")), p.rows, p.cols);
  const float* divide_by = p.divided ? memory.put(by) : nullptr;
  const MatrixView<uint8_t> codes(memory.poisoned<uint8_t>(p.rows * p.cols), p.rows, p.cols),
      encoded(memory.poisoned<uint8_t>(p.rows * p.cols), p.rows, p.cols);
  const MatrixView<float> scales(memory.poisoned<float>(scale_rows * groups), scale_rows, groups),
      values(memory.poisoned<float>(p.rows * p.cols), p.rows, p.cols);
  const Stream stream = memory.stream(kQuantizeWorkspace);
  Result r;
  r.tensor_scale = quantize_matrix(x, divide_by, p.spec, codes, scales, stream);
  encode_matrix(x, divide_by, p.spec, scales, r.tensor_scale, encoded, stream);
  dequantize_matrix({p.spec.format, p.spec.group, codes, scales, r.tensor_scale}, divide_by, values, stream);
  memory.wait(stream);
  r.codes = memory.get(codes.data, p.rows * p.cols);
  r.encoded = memory.get(encoded.data, p.rows * p.cols);
  r.scales = memory.get(scales.data, scale_rows * groups);
  r.values = memory.get(values.data, p.rows * p.cols);
  return r;
}

class QuantizeMatrixGpu : public testing::OnGpu {};

TEST_F(QuantizeMatrixGpu, SmallValuesAreByteIdentical) {
  const QuantizeSpec specs[] = {
      {NumberFormat::kInt4, ScaleFormat::kBf16, 64},
      {.format = NumberFormat::kFp4E2M1, .scale = ScaleFormat::kE4M3, .group = 16, .two_level = true},
      {NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16},
      {NumberFormat::kFp4E2M1, ScaleFormat::kE8M0, 32},
      {.format = NumberFormat::kUint4, .scale = ScaleFormat::kBf16, .group = 64, .shift = 0.171875f},
      {NumberFormat::kNf4, ScaleFormat::kBf16, 64},
      {NumberFormat::kInt8, ScaleFormat::kFp32, 192},
      {NumberFormat::kInt8, ScaleFormat::kFp32, 6}};
  for (const QuantizeSpec& spec : specs)
    for (const int64_t rows : {1, 3, 40})
      for (const bool one_row : {false, true})
        for (const bool divided : {false, true}) {
          const Problem p{rows, 576, spec, one_row, divided};
          SCOPED_TRACE(concat(rows, " rows, format ", static_cast<int>(spec.format), ", group ", spec.group,
                              one_row ? ", one row of scales" : "", divided ? ", divided" : ""));
          const Result cpu = run(p, Device::kCpu), gpu = run(p, Device::kCuda);
          EXPECT_EQ(cpu.tensor_scale, gpu.tensor_scale);
          EXPECT_EQ(cpu.scales, gpu.scales);
          EXPECT_EQ(cpu.codes, gpu.codes);
          EXPECT_EQ(cpu.encoded, gpu.encoded);
          EXPECT_EQ(cpu.values, gpu.values);
        }
}

TEST_F(QuantizeMatrixGpu, SmallValuesThatAreNotFiniteAreRefused) {
  Memory memory(Device::kCuda);
  std::vector<float> values(128, 1.0f), by(64, 1.0f);
  const auto quantize = [&] {
    const MatrixView<const float> x(memory.put(values), 2, 64);
    const MatrixView<uint8_t> codes(memory.poisoned<uint8_t>(128), 2, 64);
    const MatrixView<float> scales(memory.poisoned<float>(2), 2, 1);
    quantize_matrix(x, memory.put(by), {}, codes, scales, memory.stream(kQuantizeWorkspace));
  };
  EXPECT_NO_THROW(quantize());
  values[100] = NAN;
  EXPECT_THROW(quantize(), Error);
  values[100] = 1;
  by[7] = 0;
  EXPECT_THROW(quantize(), Error);
}

}  // namespace
}  // namespace svdlab
