#pragma once
#include <optional>

#include "kernels/bench/device_data.h"
#include "kernels/cuda_device.h"
#include "kernels/gemm_quantized.h"
#include "kernels/gemm_weight_only.h"

namespace svdlab::bench {

/// Device memory for one compressed linear and its input, in the layouts of a loop; the input's codes are
/// those of quantize_fuse_down on a random bf16 x.
struct LinearProblem {
  int64_t m, n, k, rank;
  MainLoop loop;
  NumberFormat a_format, w_format;
  CudaBuffer x, divide_by, down, up, bias, out;
  CudaBuffer a_codes, a_scales, a_powers, low_rank;
  CudaBuffer w_codes, w_scales, w_powers;
  QuantizeFuseDown quantize;
  GemmQuantized gemm;
  std::optional<CudaBuffer> workspace;  ///< what `gemm` needs

  /// @param loop, a_format, w_format  one of the pairs of gemm_quantized.h. Runs the quantization once.
  LinearProblem(int64_t m, int64_t n, int64_t k, int64_t rank, MainLoop loop, NumberFormat a_format,
                NumberFormat w_format);
  LinearProblem(const LinearProblem&) = delete;
  LinearProblem& operator=(const LinearProblem&) = delete;

  double operations() const { return 2.0 * m * n * k + 2.0 * m * n * rank; }
  double weight_bytes() const { return static_cast<double>(w_codes.bytes() + w_scales.bytes()); }
};

/// The same for gemm_weight_only.
struct WeightOnlyProblem {
  CudaBuffer x, bias, out, codes, scales;
  GemmWeightOnly op;

  WeightOnlyProblem(int64_t m, int64_t n, int64_t k, NumberFormat format);
  WeightOnlyProblem(const WeightOnlyProblem&) = delete;
  WeightOnlyProblem& operator=(const WeightOnlyProblem&) = delete;
};

}  // namespace svdlab::bench
