// The GPU side of every op in a build without CUDA.
#include "core/base/error.h"
#include "kernels/cuda_device.h"
#include "kernels/dequantize_matrix.h"
#include "kernels/gemm_quantized.h"
#include "kernels/gemm_weight_only.h"
#include "kernels/gptq_block.h"
#include "kernels/quantize_fuse_down.h"
#include "kernels/quantize_matrix.h"

namespace svdlab {
namespace {

[[noreturn]] void unsupported(const char* what) {
  throw Error(Errc::kConfig,
              concat("unsupported: ", what,
                     " on a GPU, built without CUDA; configure with -DSVDLAB_CUDA=on or use the CPU"));
}

}  // namespace

std::string cuda_device_problem() { return "built without CUDA"; }
int cuda_architecture() { unsupported("cuda_architecture"); }
std::string cuda_device_name() { unsupported("cuda_device_name"); }
CudaBuffer::CudaBuffer(int64_t) { unsupported("CudaBuffer"); }
CudaBuffer::~CudaBuffer() = default;
CudaBuffer::CudaBuffer(CudaBuffer&&) noexcept = default;
void CudaBuffer::copy_from(const void*, int64_t) { unsupported("CudaBuffer"); }
void CudaBuffer::copy_to(void*, int64_t) const { unsupported("CudaBuffer"); }
void CudaBuffer::fill(uint8_t) { unsupported("CudaBuffer"); }
void cuda_synchronize(Stream) { unsupported("cuda_synchronize"); }

namespace detail {

void quantize_fuse_down_cuda(const QuantizeFuseDown&, Stream) { unsupported("quantize_fuse_down"); }
int64_t quantize_fuse_down_workspace_cuda(const QuantizeFuseDown&) { unsupported("quantize_fuse_down"); }
void gemm_quantized_cuda(const GemmQuantized&, MainLoop, Stream) { unsupported("gemm_quantized"); }
int64_t gemm_quantized_workspace_cuda(const GemmQuantized&, MainLoop) { unsupported("gemm_quantized"); }
void gemm_weight_only_cuda(const GemmWeightOnly&, Stream) { unsupported("gemm_weight_only"); }
float quantize_matrix_cuda(MatrixView<const float>, const float*, const QuantizeSpec&, MatrixView<uint8_t>,
                           MatrixView<float>, Stream) {
  unsupported("quantize_matrix");
}
void encode_matrix_cuda(MatrixView<const float>, const float*, const QuantizeSpec&, MatrixView<const float>,
                        float, MatrixView<uint8_t>, Stream) {
  unsupported("encode_matrix");
}
void dequantize_matrix_cuda(const CodedMatrix&, const float*, MatrixView<float>, Stream) {
  unsupported("dequantize_matrix");
}
void gptq_block_cuda(const GptqBlock&, Stream) { unsupported("gptq_block"); }

}  // namespace detail
}  // namespace svdlab
