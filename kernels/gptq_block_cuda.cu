#include "kernels/device/checked.cuh"
#include "kernels/device/number_code.cuh"
#include "kernels/gptq_block.h"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kRows = 64;  // output rows of a block, a thread each
constexpr int kMost = static_cast<int>(GptqBlock::kMostColumns);

struct Operands {
  const int64_t* order;
  const double* upper;    // its element (begin, begin)
  double *rest, *errors;  // row `begin` of rest
  uint8_t* codes;
  const float* scales;
  int64_t upper_stride, rest_stride, error_stride, code_stride, scale_stride, rows;
  int columns, group;
  float tensor_scale;
};

// What is left of the rows' columns lies in shared memory, [columns][kRows] doubles: each thread has its own
// bank pair, and all read the same element of `upper`.
template <NumberFormat kFormat>
__global__ void __launch_bounds__(kRows) gptq_block_kernel(const __grid_constant__ Operands p) {
  extern __shared__ __align__(16) uint8_t memory[];
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kRows + threadIdx.x;
  double* left = reinterpret_cast<double*>(memory) + threadIdx.x;
  if (n >= p.rows) return;
  for (int j = 0; j < p.columns; ++j) left[j * kRows] = p.rest[j * p.rest_stride + n];
  for (int j = 0; j < p.columns; ++j) {
    const double x = left[j * kRows];
    const int64_t column = p.order[j];
    const float scale = p.scales[n * p.scale_stride + static_cast<int>(column) / p.group];
    const uint8_t code = encode_number<kFormat>(__fdiv_rn(static_cast<float>(x), scale * p.tensor_scale));
    const float value = decode_number<kFormat>(code) * scale * p.tensor_scale;
    p.codes[n * p.code_stride + column] = code;
    const double* factors = p.upper + j * p.upper_stride;
    const double e = (x - value) / factors[j];
    p.errors[j * p.error_stride + n] = e;
#pragma unroll 8
    for (int l = j + 1; l < p.columns; ++l) left[l * kRows] = fma(-__ldg(factors + l), e, left[l * kRows]);
  }
}

}  // namespace

void gptq_block_cuda(const GptqBlock& b, Stream stream) {
  const Operands p{.order = b.order + b.begin,
                   .upper = b.upper.row(b.begin) + b.begin,
                   .rest = b.rest.row(b.begin),
                   .errors = b.errors.data,
                   .codes = b.codes.data,
                   .scales = b.scales.data,
                   .upper_stride = b.upper.row_stride,
                   .rest_stride = b.rest.row_stride,
                   .error_stride = b.errors.row_stride,
                   .code_stride = b.codes.row_stride,
                   .scale_stride = b.scales.rows == 1 ? 0 : b.scales.row_stride,
                   .rows = b.codes.rows,
                   .columns = static_cast<int>(b.end - b.begin),
                   .group = static_cast<int>(b.group),
                   .tensor_scale = b.tensor_scale};
  const Launch how{.grid = dim3(static_cast<unsigned>((p.rows + kRows - 1) / kRows)),
                   .block = dim3(kRows),
                   .shared_bytes = sizeof(double) * kRows * kMost,
                   .stream = static_cast<cudaStream_t>(stream.handle)};
  with_number_format(b.format, [&]<NumberFormat kFormat>() { launch(how, gptq_block_kernel<kFormat>, p); });
}

}  // namespace svdlab::detail
