#include "kernels/gemm_quantized.h"

#include "core/base/error.h"
#include "kernels/gemm_exact.cuh"
#include "kernels/gemm_mma.cuh"
#include "kernels/norm_rope.cuh"

namespace svdlab::detail {
namespace {

// The product, and norm and rope, to op.out.
void multiply(const GemmQuantized& op, MainLoop loop, Stream stream) {
  if (loop == MainLoop::kExact) return gemm_exact_cuda(op, stream);
  gemm_mma_cuda(op, loop, stream);
  if (op.norm_rope) norm_rope_cuda(*op.norm_rope, op.out, stream);
}

}  // namespace

// GELU and the next input's quantization are a kernel of their own behind the product: the scales' common
// power of two and the low-rank sum need whole rows, which no block of the product has.
void gemm_quantized_cuda(const GemmQuantized& op, MainLoop loop, Stream stream) {
  if (!op.next) return multiply(op, loop, stream);
  GemmQuantized product = op;
  product.next = nullptr;
  if (!product.out.bits.data)
    product.out.bits = {static_cast<uint16_t*>(stream.workspace), op.a.rows, op.w.rows};
  multiply(product, loop, stream);
  quantize_fuse_down_cuda({.x = product.out, .step = InputStep::kGelu, .target = *op.next}, stream);
}

int64_t gemm_quantized_workspace_cuda(const GemmQuantized& op, MainLoop) {
  return op.next && !op.out.bits.data ? op.a.rows * op.w.rows * 2 : 0;
}

}  // namespace svdlab::detail
