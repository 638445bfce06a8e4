#include "kernels/gemm_quantized.h"

#include "kernels/cuda_device.h"
#include "kernels/gemm_exact.cuh"
#include "kernels/gemm_mma.cuh"
#include "kernels/gemm_wgmma.cuh"
#include "kernels/norm_rope.cuh"

namespace svdlab::detail {
namespace {

// kInt8 and kNvfp4 have a kernel for Hopper and one for the others.
bool on_wgmma(const GemmQuantized& op, MainLoop loop) {
  const bool has_powers = op.w.format != NumberFormat::kInt4 || op.w.row_powers;
  return (loop == MainLoop::kInt8 || loop == MainLoop::kNvfp4) && has_powers && cuda_architecture() == 90;
}

// Bytes that a product without `out` is kept in.
int64_t product_bytes(const GemmQuantized& op) {
  return op.next && !op.out.bits.data ? op.a.rows * op.w.rows * 2 : 0;
}

// The product, and norm and rope, to op.out.
void multiply(const GemmQuantized& op, MainLoop loop, void* workspace, Stream stream) {
  if (loop == MainLoop::kExact) return gemm_exact_cuda(op, stream);
  if (on_wgmma(op, loop))
    gemm_wgmma_cuda(op, loop, workspace, stream);
  else
    gemm_mma_cuda(op, loop, stream);
  if (op.norm_rope) norm_rope_cuda(*op.norm_rope, op.out, stream);
}

}  // namespace

// GELU and the next input's quantization are a kernel of their own behind the product: the scales' common
// power of two and the low-rank sum need whole rows, which no block of the product has.
void gemm_quantized_cuda(const GemmQuantized& op, MainLoop loop, Stream stream) {
  auto* workspace = static_cast<uint8_t*>(stream.workspace);
  if (!op.next) return multiply(op, loop, workspace, stream);
  GemmQuantized product = op;
  product.next = nullptr;
  if (!product.out.bits.data)
    product.out.bits = {reinterpret_cast<uint16_t*>(workspace), op.a.rows, op.w.rows};
  multiply(product, loop, workspace + product_bytes(op), stream);
  quantize_fuse_down_cuda({.x = product.out, .step = InputStep::kGelu, .target = *op.next}, stream);
}

int64_t gemm_quantized_workspace_cuda(const GemmQuantized& op, MainLoop loop) {
  return product_bytes(op) + (on_wgmma(op, loop) ? gemm_wgmma_workspace(op) : 0);
}

}  // namespace svdlab::detail
