#include "kernels/device/checked.cuh"
#include "kernels/device/quantizer.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

template <HalfType kType, int kTiles, QuantizeKind kKind, bool kStep>
__global__ __launch_bounds__(kQuantizeThreads, quantize_blocks(kTiles, false)) void quantize_kernel(
    const __grid_constant__ QuantizeParameters p) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  extern __shared__ __align__(128) uint8_t memory[];
  Quantizer<kType, kTiles, kKind, kStep>(p, memory).run();
#endif
}

template <HalfType kType, int kTiles, QuantizeKind kKind>
void start(QuantizeParameters p, cudaStream_t stream) {
  const bool clusters = device_attribute(cudaDevAttrComputeCapabilityMajor) >= 9;
  p.pieces = clusters ? quantize_pieces(p.rows, p.groups, quantize_blocks(kTiles, p.down_low)) : 1;
  p.stage_bytes = StagePlaces::kFactors + (p.down_low ? 2 : 1) * 8 * kTiles * kStageRowBytes;
  const unsigned row_blocks = (p.rows + kQuantizeRows - 1) / kQuantizeRows;
  const Launch how{.grid = dim3(row_blocks * p.pieces),
                   .block = dim3(kQuantizeThreads),
                   .shared_bytes = quantize_stages(kTiles) * p.stage_bytes + sizeof(RowStatistics),
                   .cluster = static_cast<unsigned>(p.pieces),
                   .balanced = true,
                   .stream = stream};
  if (p.step == InputStep::kNone) return launch(how, quantize_kernel<kType, kTiles, kKind, false>, p);
  launch(how, quantize_kernel<kType, kTiles, kKind, true>, p);
}

template <HalfType kType, QuantizeKind kKind>
void start(const QuantizeParameters& p, cudaStream_t stream) {
  if (p.rank == 0) return start<kType, 0, kKind>(p, stream);
  if (p.rank <= 32) return start<kType, 4, kKind>(p, stream);
  if (p.rank <= 64) return start<kType, 8, kKind>(p, stream);
  start<kType, 16, kKind>(p, stream);
}

template <HalfType kType>
void start(const QuantizeParameters& p, cudaStream_t stream, NumberFormat format) {
  if (format == NumberFormat::kFp4E2M1) return start<kType, QuantizeKind::kE2M1>(p, stream);
  if (format == NumberFormat::kInt8) return start<kType, QuantizeKind::kInt8>(p, stream);
  start<kType, QuantizeKind::kInteger4>(p, stream);
}

}  // namespace

void quantize_fuse_down_cuda(const QuantizeFuseDown& op, Stream stream) {
  const QuantizeTarget& t = op.target;
  const int groups = static_cast<int>(op.x.cols() / 64);
  const QuantizeParameters p{.x = op.x.bits.data,
                             .x_stride = op.x.bits.row_stride,
                             .rows = static_cast<int>(op.x.rows()),
                             .groups = groups,
                             .step = op.step,
                             .modulation = op.modulation,
                             .layout = t.codes.layout,
                             .is_unsigned = t.spec.format == NumberFormat::kUint4,
                             .divide_by = t.divide_by,
                             .shift = t.spec.shift,
                             .down = t.down.bits.data,
                             .down_low = t.down_low.bits.data,
                             .down_stride = t.down.bits.row_stride,
                             .down_low_stride = t.down_low.bits.row_stride,
                             .rank = static_cast<int>(t.down.rows()),
                             .codes = t.codes.codes,
                             .scales = t.codes.scales,
                             .code_stride = t.codes.code_stride,
                             .scale_stride = t.codes.scale_stride,
                             .row_powers = t.codes.row_powers,
                             .low_rank = t.low_rank.data,
                             .low_rank_stride = t.low_rank.row_stride,
                             .continues = op.continues};
  const auto handle = static_cast<cudaStream_t>(stream.handle);
  if (op.x.type == HalfType::kBf16)
    start<HalfType::kBf16>(p, handle, t.spec.format);
  else
    start<HalfType::kFp16>(p, handle, t.spec.format);
}

int64_t quantize_fuse_down_workspace_cuda(const QuantizeFuseDown&) { return 0; }

}  // namespace svdlab::detail
