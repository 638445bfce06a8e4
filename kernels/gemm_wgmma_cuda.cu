#include "kernels/gemm_wgmma.cuh"

#include "kernels/device/checked.cuh"
#include "kernels/device/plain_feed.cuh"
#include "kernels/device/plain_multiply.cuh"
#include "kernels/device/tensor_map.cuh"
#include "kernels/expand_halves.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

// Y^T = W X^T on wgmma, with one sum over the whole of K. Two warpgroups multiply 64 channels each by all
// tokens of the tile; one thread of a third one feeds them. W8A8 takes both operands from shared memory; in
// the other formats activations have become fp16 numbers, and the weights do so in registers, where their
// scales are multiplied in without rounding.
template <class Shape>
__device__ void run(const PlainParameters& p, typename Shape::Shared& shared) {
  if (threadIdx.x == 0) {
    for (int s = 0; s < Shape::kStages; ++s) {
      barrier_init(&shared.full[s], 1);
      barrier_init(&shared.empty[s], Shape::kCluster * kPlainConsumers / 32);
    }
    barrier_init_fence();
  }
  cluster_barrier(Shape::kCluster);
  if (threadIdx.x >= kPlainConsumers) {
    keep_registers<40>();
    if (threadIdx.x == kPlainConsumers) PlainFeed<Shape>(p, shared).run();
    __syncwarp();
  } else {
    take_registers<232>();
    PlainMultiply<Shape>(p, shared).run();
  }
  cluster_barrier(Shape::kCluster);  // no block leaves while another copies to it or arrives at its barriers
}

template <class Shape>
__global__ __launch_bounds__(kPlainThreads, 1) void plain_kernel(const __grid_constant__ PlainParameters p) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ __align__(1024) uint8_t memory[];
  run<Shape>(p, *reinterpret_cast<typename Shape::Shared*>(memory));
#endif
}

// Blocks that stay for all tiles: no more than the device holds at once, or the last ones would start when
// the others are done.
template <PlainKind kKind, int kTokens, int kCluster>
void start(const PlainParameters& p, cudaStream_t stream) {
  using Shape = PlainShape<kKind, kTokens, kCluster>;
  const int multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount);
  Launch how{.grid = dim3(static_cast<unsigned>(multiprocessors / kCluster * kCluster)),
             .block = dim3(kPlainThreads),
             .shared_bytes = sizeof(typename Shape::Shared),
             .cluster = kCluster,
             .stream = stream};
  static const int clusters = kCluster == 1 ? multiprocessors : resident_clusters(how, plain_kernel<Shape>);
  const int64_t tiles = pieces_of(p.m, kTokens) * pieces_of(p.n, kPlainChannels * kCluster);
  how.grid.x = static_cast<unsigned>((tiles < clusters ? tiles : clusters) * kCluster);
  launch(how, plain_kernel<Shape>, p);
}

template <PlainKind kKind>
void start(const PlainParameters& p, PlainTiling tiling, cudaStream_t stream) {
  if (tiling.tokens == 256 && tiling.cluster == 2) return start<kKind, 256, 2>(p, stream);
  if (tiling.tokens == 224 && tiling.cluster == 2) return start<kKind, 224, 2>(p, stream);
  if (tiling.tokens == 192 && tiling.cluster == 2) return start<kKind, 192, 2>(p, stream);
  if (tiling.tokens == 128 && tiling.cluster == 1) return start<kKind, 128, 1>(p, stream);
  throw Error(Errc::kUnexpected, concat("wgmma loops: no kernel for tiles of ", tiling.tokens,
                                        " tokens in clusters of ", tiling.cluster));
}

PlainKind kind_of(const GemmQuantized& op, MainLoop loop) {
  if (loop == MainLoop::kNvfp4) return PlainKind::kNvfp4;
  return op.w.format == NumberFormat::kInt8 ? PlainKind::kW8A8 : PlainKind::kW4A8;
}

// What is left of the units of the codes after the loop.
float unit_of(PlainKind kind) {
  if (kind == PlainKind::kW4A8) return 1.0f / kInt4HalfLift;
  if (kind == PlainKind::kNvfp4) return (kE2M1HalfUnit / kE4M3HalfLift) * (kE2M1HalfUnit / kE4M3HalfLift);
  return 1.0f;
}

CUtensorMap bytes_of(const PackedMatrix& m, int box_rows) {
  return tensor_map(
      {.data = m.codes, .rows = m.rows, .cols = m.cols, .row_bytes = m.code_stride, .box_rows = box_rows});
}

PlainParameters parameters(const GemmQuantized& op, PlainKind kind, PlainTiling tiling,
                           const void* workspace) {
  const bool bytes = kind == PlainKind::kW8A8;
  const int share = tiling.tokens / tiling.cluster, groups = static_cast<int>(op.a.cols / 64);
  PlainParameters p{.tokens = bytes ? bytes_of(op.a, share)
                                    : tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
                                                  .element_bytes = 2,
                                                  .data = workspace,
                                                  .rows = op.a.rows,
                                                  .cols = op.a.cols,
                                                  .row_bytes = 2 * op.a.cols,
                                                  .box_rows = share}),
                    .out = tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_UINT16,
                                       .element_bytes = 2,
                                       .data = op.out.bits.data,
                                       .rows = op.a.rows,
                                       .cols = op.w.rows,
                                       .row_bytes = 2 * op.out.bits.row_stride,
                                       .box_rows = kPlainOutTokens}),
                    .m = static_cast<int>(op.a.rows),
                    .n = static_cast<int>(op.w.rows),
                    .rank = static_cast<int>(op.low_rank.cols),
                    .steps = bytes ? (groups + 1) / 2 : groups,
                    .groups = groups,
                    .codes = op.w.codes,
                    .scales = op.w.scales,
                    .code_stride = op.w.code_stride,
                    .scale_stride = op.w.scale_stride,
                    .weight_powers = op.w.row_powers,
                    .channel_scale = op.channel_scale,
                    .bias = op.bias,
                    .factor = unit_of(kind) * op.a.tensor_scale * op.w.tensor_scale,
                    .up = op.up.bits.data,
                    .up_stride = op.up.bits.row_stride,
                    .up_type = op.up.type,
                    .out_type = op.out.type};
  if (kind != PlainKind::kNvfp4) p.token_scale = reinterpret_cast<const float*>(op.a.scales);
  if (bytes) p.weights = bytes_of(op.w, kPlainChannels);
  if (bytes) p.weight_scale = reinterpret_cast<const float*>(op.w.scales);
  if (kind == PlainKind::kW4A8) p.weight_scale = op.w.row_powers;
  if (p.rank > 0)
    p.low_rank = tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
                             .element_bytes = 4,
                             .data = op.low_rank.data,
                             .rows = op.low_rank.rows,
                             .cols = op.low_rank.cols,
                             .row_bytes = 4 * op.low_rank.row_stride,
                             .box_rows = share});
  return p;
}

}  // namespace

void gemm_wgmma_cuda(const GemmQuantized& op, MainLoop loop, PlainTiling tiling, void* workspace,
                     Stream stream) {
  const PlainKind kind = kind_of(op, loop);
  if (kind != PlainKind::kW8A8) expand_halves_cuda(op.a, static_cast<uint16_t*>(workspace), stream);
  const PlainParameters p = parameters(op, kind, tiling, workspace);
  const auto handle = static_cast<cudaStream_t>(stream.handle);
  switch (kind) {
    case PlainKind::kW8A8:
      return start<PlainKind::kW8A8>(p, tiling, handle);
    case PlainKind::kW4A8:
      return start<PlainKind::kW4A8>(p, tiling, handle);
    case PlainKind::kNvfp4:
      return start<PlainKind::kNvfp4>(p, tiling, handle);
  }
}

void gemm_wgmma_cuda(const GemmQuantized& op, MainLoop loop, void* workspace, Stream stream) {
  const int multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount);
  PlainTiling tiling = plain_tiling(op.a.rows, op.w.rows, multiprocessors);
  // A stage takes as long with few tokens as with many when its weights are expanded.
  if (kind_of(op, loop) != PlainKind::kW8A8 && tiling.cluster == 2) tiling.tokens = 256;
  gemm_wgmma_cuda(op, loop, tiling, workspace, stream);
}

int64_t gemm_wgmma_workspace(const GemmQuantized& op) {
  return op.w.format == NumberFormat::kInt8 ? 0 : 2 * op.a.rows * op.a.cols;
}

}  // namespace svdlab::detail
