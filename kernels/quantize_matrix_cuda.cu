#include <algorithm>

#include "core/formats/bf16.h"
#include "core/formats/fp8_e4m3.h"
#include "core/formats/fp8_e8m0.h"
#include "kernels/device/checked.cuh"
#include "kernels/device/number_code.cuh"
#include "kernels/quantize_matrix.h"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kThreads = 256;
constexpr int64_t kMostRows = 32768;  // of a grid; each block then takes several

struct Values {
  const float* x;
  int64_t stride;
  const float* divide_by;  // or nullptr
  float shift;

  __device__ float operator()(int64_t r, int64_t c) const {
    const float value = x[r * stride + c];
    if (divide_by) return __fdiv_rn(value + shift, divide_by[c]);
    return shift != 0 ? value + shift : value;
  }
};

Values values_of(MatrixView<const float> x, const float* divide_by, float shift) {
  return {x.data, x.row_stride, divide_by, shift};
}

// What the kernels tell the host, at the start of the workspace.
struct Report {
  int largest;     // float bits of the largest |value|
  int not_finite;  // flags
  int bad_scale;
  int bad_divisor;
};
static_assert(sizeof(Report) == kQuantizeWorkspace);

// `lanes` neighbouring threads share a group.
__global__ void group_maxima_kernel(const Values values, float* scales, int64_t scale_stride, int64_t rows,
                                    int64_t groups, int64_t group, int lanes, bool is_unsigned, bool one_row,
                                    Report* report) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const int64_t g = index / lanes;
  const int lane = static_cast<int>(index % lanes);
  for (int64_t r = blockIdx.y; r < rows; r += gridDim.y) {
    int magnitude = 0, positive = 0;
    bool bad = false;
    for (int64_t c = lane; g < groups && c < group; c += lanes) {
      const int64_t column = g * group + c;
      const int bits = std::bit_cast<int>(values(r, column));
      magnitude = max(magnitude, bits & 0x7fffffff);
      positive = max(positive, bits);
      if (values.divide_by) {
        const float by = values.divide_by[column];
        bad |= !(by > 0) || std::bit_cast<int>(by) >= 0x7f800000;
      }
    }
    for (int step = 1; step < lanes; step *= 2) {
      magnitude = max(magnitude, __shfl_xor_sync(0xffffffffu, magnitude, step));
      positive = max(positive, __shfl_xor_sync(0xffffffffu, positive, step));
    }
    if (bad) report->bad_divisor = 1;
    if (g >= groups || lane != 0) continue;
    if (magnitude >= 0x7f800000) report->not_finite = 1;
    const int amax = is_unsigned ? positive : magnitude;
    if (one_row)
      atomicMax(reinterpret_cast<int*>(scales) + g, amax);
    else
      scales[r * scale_stride + g] = std::bit_cast<float>(amax);
    atomicMax(&report->largest, amax);
  }
}

struct Rounding {
  ScaleFormat format;
  float largest_code, tensor_scale;
  float most;  // kFp32, kBf16: see largest_scale
};

__global__ void round_scales_kernel(float* scales, int64_t stride, int64_t rows, int64_t groups,
                                    const Rounding how) {
  const int64_t g = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (g >= groups) return;
  for (int64_t r = blockIdx.y; r < rows; r += gridDim.y) {
    float& scale = scales[r * stride + g];
    const float exact = __fdiv_rn(scale, how.largest_code);
    switch (how.format) {
      case ScaleFormat::kFp32:
        scale = fminf(fmaxf(exact, 0x1p-126f), how.most);
        break;
      case ScaleFormat::kBf16:
        scale = fminf(fmaxf(bf16_round(exact), 0x1p-126f), how.most);
        break;
      case ScaleFormat::kE4M3:
        scale = fmaxf(fp8_e4m3_decode(fp8_e4m3_encode(__fdiv_rn(exact, how.tensor_scale))), 0x1p-9f);
        break;
      case ScaleFormat::kE8M0: {
        const float power = fp8_e8m0_decode(fp8_e8m0_encode_floor(how.largest_code));
        scale = fmaxf(__fdiv_rn(fp8_e8m0_decode(fp8_e8m0_encode_floor(scale)), power), 0x1p-126f);
        break;
      }
    }
  }
}

// kRun neighbouring columns a thread, of one group.
template <NumberFormat kFormat, int kRun>
__global__ void encode_kernel(const Values values, const float* scales, int64_t scale_stride,
                              float tensor_scale, int group, uint8_t* codes, int64_t code_stride,
                              int64_t rows, int64_t cols, Report* report) {
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kRun;
  if (begin >= cols) return;
  const int g = static_cast<int>(begin) / group;
  for (int64_t r = blockIdx.y; r < rows; r += gridDim.y) {
    const float step = scales[r * scale_stride + g] * tensor_scale;
    if (!(step > 0) || std::bit_cast<int>(step) >= 0x7f800000) report->bad_scale = 1;
    uint32_t packed = 0;
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      const float value = values(r, begin + i);
      if ((std::bit_cast<int>(value) & 0x7fffffff) >= 0x7f800000) report->not_finite = 1;
      packed |= static_cast<uint32_t>(encode_number<kFormat>(__fdiv_rn(value, step))) << 8 * i;
    }
    uint8_t* out = codes + r * code_stride + begin;
    if constexpr (kRun == 4)
      *reinterpret_cast<uint32_t*>(out) = packed;
    else
      *out = static_cast<uint8_t>(packed);
  }
}

dim3 grid_of(int64_t threads_a_row, int64_t rows) {
  return dim3(static_cast<unsigned>((threads_a_row + kThreads - 1) / kThreads),
              static_cast<unsigned>(std::min(rows, kMostRows)));
}

Launch launch_over(int64_t threads_a_row, int64_t rows, Stream stream) {
  return {.grid = grid_of(threads_a_row, rows),
          .block = dim3(kThreads),
          .stream = static_cast<cudaStream_t>(stream.handle)};
}

Report* cleared_report(Stream stream) {
  SVDLAB_CUDA(cudaMemsetAsync(stream.workspace, 0, sizeof(Report), static_cast<cudaStream_t>(stream.handle)));
  return static_cast<Report*>(stream.workspace);
}

Report read_report(Stream stream) {
  Report out;
  SVDLAB_CUDA(cudaMemcpyAsync(&out, stream.workspace, sizeof out, cudaMemcpyDeviceToHost,
                              static_cast<cudaStream_t>(stream.handle)));
  SVDLAB_CUDA(cudaStreamSynchronize(static_cast<cudaStream_t>(stream.handle)));
  SVDLAB_REQUIRE(!out.bad_divisor, Errc::kInput,
                 "quantize: divide_by has a value that is not finite and > 0 (on a GPU)");
  SVDLAB_REQUIRE(
      !out.not_finite, Errc::kInput,
      "quantize: x has a value that is not finite (on a GPU); only finite values can be quantized");
  SVDLAB_REQUIRE(!out.bad_scale, Errc::kInput,
                 "quantize: a scale times the tensor scale is not finite and > 0 (on a GPU)");
  return out;
}

int lanes_of(int64_t group) {
  int lanes = 1;
  while (lanes < 32 && 2 * lanes <= group) lanes *= 2;
  return lanes;
}

}  // namespace

float quantize_matrix_cuda(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                           MatrixView<uint8_t> codes, MatrixView<float> scales, Stream stream) {
  const auto handle = static_cast<cudaStream_t>(stream.handle);
  if (x.rows == 0 || x.cols == 0) return 1.0f;
  Report* report = cleared_report(stream);
  const bool one_row = scales.rows == 1;
  if (one_row) SVDLAB_CUDA(cudaMemsetAsync(scales.data, 0, 4 * static_cast<size_t>(scales.cols), handle));
  const int lanes = lanes_of(spec.group);
  launch(launch_over(scales.cols * lanes, x.rows, stream), group_maxima_kernel,
         values_of(x, divide_by, spec.shift), scales.data, scales.row_stride, x.rows, scales.cols, spec.group,
         lanes, spec.format == NumberFormat::kUint4, one_row, report);
  const float largest = std::bit_cast<float>(read_report(stream).largest);
  const float tensor_scale = spec.two_level ? tensor_scale_of(largest, spec.format) : 1.0f;
  const uint32_t mask = spec.scale == ScaleFormat::kBf16 ? 0xffff0000u : ~0u;
  const Rounding how{spec.scale, largest_code_value(spec.format), tensor_scale,
                     largest_scale(largest_code_value(spec.format), mask)};
  launch(launch_over(scales.cols, scales.rows, stream), round_scales_kernel, scales.data, scales.row_stride,
         scales.rows, scales.cols, how);
  encode_matrix_cuda(x, divide_by, spec, scales, tensor_scale, codes, stream);
  return tensor_scale;
}

void encode_matrix_cuda(MatrixView<const float> x, const float* divide_by, const QuantizeSpec& spec,
                        MatrixView<const float> scales, float tensor_scale, MatrixView<uint8_t> codes,
                        Stream stream) {
  if (x.rows == 0 || x.cols == 0) return;
  Report* report = cleared_report(stream);
  const bool by_four =
      spec.group % 4 == 0 && codes.row_stride % 4 == 0 && reinterpret_cast<uintptr_t>(codes.data) % 4 == 0;
  with_number_format(spec.format, [&]<NumberFormat kFormat>() {
    launch(launch_over(by_four ? x.cols / 4 : x.cols, x.rows, stream),
           by_four ? encode_kernel<kFormat, 4> : encode_kernel<kFormat, 1>,
           values_of(x, divide_by, spec.shift), scales.data, scales.rows == 1 ? 0 : scales.row_stride,
           tensor_scale, static_cast<int>(spec.group), codes.data, codes.row_stride, x.rows, x.cols, report);
  });
  read_report(stream);
}

}  // namespace svdlab::detail
