#include <algorithm>

#include "kernels/dequantize_matrix.h"
#include "kernels/device/checked.cuh"
#include "kernels/device/number_code.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kThreads = 256;
constexpr int64_t kMostRows = 32768;

struct Operands {
  const uint8_t* codes;
  const float* scales;
  const float* subtract;
  float* out;
  int64_t code_stride, scale_stride, out_stride, rows, cols;
  int group;
  float tensor_scale;
};

// kRun neighbouring columns a thread, of one group.
template <NumberFormat kFormat, int kRun>
__global__ void dequantize_kernel(const Operands p) {
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kRun;
  if (begin >= p.cols) return;
  const int g = static_cast<int>(begin) / p.group;
  for (int64_t r = blockIdx.y; r < p.rows; r += gridDim.y) {
    const float scale = p.scales[r * p.scale_stride + g];
#pragma unroll
    for (int i = 0; i < kRun; ++i) {
      const float number = decode_number<kFormat>(p.codes[r * p.code_stride + begin + i]);
      const float value = number * scale * p.tensor_scale;
      // Not contracted into one operation: the CPU's meaning rounds twice.
      p.out[r * p.out_stride + begin + i] =
          p.subtract ? __fadd_rn(__fmul_rn(number * scale, p.tensor_scale), -p.subtract[begin + i]) : value;
    }
  }
}

}  // namespace

void dequantize_matrix_cuda(const CodedMatrix& q, const float* subtract, MatrixView<float> out,
                            Stream stream) {
  if (q.rows() == 0 || q.cols() == 0) return;
  const Operands p{.codes = q.codes.data,
                   .scales = q.scales.data,
                   .subtract = subtract,
                   .out = out.data,
                   .code_stride = q.codes.row_stride,
                   .scale_stride = q.scales.rows == 1 ? 0 : q.scales.row_stride,
                   .out_stride = out.row_stride,
                   .rows = q.rows(),
                   .cols = q.cols(),
                   .group = static_cast<int>(q.group),
                   .tensor_scale = q.tensor_scale};
  const int run = q.group % 4 == 0 ? 4 : 1;
  const Launch how{.grid = dim3(static_cast<unsigned>((q.cols() / run + kThreads - 1) / kThreads),
                                static_cast<unsigned>(std::min(q.rows(), kMostRows))),
                   .block = dim3(kThreads),
                   .stream = static_cast<cudaStream_t>(stream.handle)};
  with_number_format(q.format, [&]<NumberFormat kFormat>() {
    launch(how, run == 4 ? dequantize_kernel<kFormat, 4> : dequantize_kernel<kFormat, 1>, p);
  });
}

}  // namespace svdlab::detail
