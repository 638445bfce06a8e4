#include "kernels/device/checked.cuh"
#include "kernels/device/exact_feed.cuh"
#include "kernels/device/exact_multiply.cuh"
#include "kernels/device/tensor_map.cuh"
#include "kernels/gemm_exact.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

// Y^T = W X^T on wgmma. A block has three warpgroups: the first feeds, two multiply 64 channels each by all
// tokens of the tile. Codes of the activations come from memory as e4m3 bytes; those of the weights as
// nibbles, which become e4m3 in registers. The product of one group of 64 columns is a sum of integers in
// fp16, exact up to 2048; it is multiplied by both scales and added up in fp16 for eight groups, then in
// fp32.
template <class Shape>
__device__ void run(const ExactParameters& p, ExactShared& shared) {
  if (threadIdx.x == 0) {
    for (int s = 0; s < kExactStages; ++s) {
      barrier_init(&shared.full[s], 1 + kExactConverters / 32);
      barrier_init(&shared.empty[s], Shape::kCluster * kExactConsumers / 32);
    }
    barrier_init(&shared.low_rank_full, 1);
    barrier_init(&shared.low_rank_empty, kExactConsumers / 32);
    barrier_init_fence();
  }
  cluster_barrier(Shape::kCluster);
  if (threadIdx.x < kExactProducers) {
    keep_registers<kExactKeep>();
    if (threadIdx.x >= 32)
      ExactFeed<Shape>(p, shared).convert_scales();
    else if (threadIdx.x == 0)
      ExactFeed<Shape>(p, shared).start_copies();
    __syncwarp();
  } else {
    take_registers<kExactTake>();
    ExactMultiply<Shape>(p, shared).run();
  }
  cluster_barrier(Shape::kCluster);  // no block leaves while another copies to it or arrives at its barriers
}

template <class Shape>
__global__ __launch_bounds__(kExactProducers + kExactConsumers,
                             1) void exact_kernel(const __grid_constant__ ExactParameters p) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  extern __shared__ __align__(1024) uint8_t memory[];
  run<Shape>(p, *reinterpret_cast<ExactShared*>(memory));
#endif
}

// Blocks that stay for all tiles: no more than the device holds at once, or the last ones would start when
// the others are done.
template <int kCluster, bool kRope>
void start(const ExactParameters& p, cudaStream_t stream) {
  using Shape = ExactShape<kCluster, kRope>;
  const int multiprocessors = device_attribute(cudaDevAttrMultiProcessorCount);
  Launch how{.grid = dim3(static_cast<unsigned>(multiprocessors / kCluster * kCluster)),
             .block = dim3(kExactProducers + kExactConsumers),
             .shared_bytes = sizeof(ExactShared),
             .cluster = kCluster,
             .stream = stream};
  static const int clusters = kCluster == 1 ? multiprocessors : resident_clusters(how, exact_kernel<Shape>);
  const int64_t tiles = pieces_of(p.m, kExactTokens) * pieces_of(p.n, kExactChannels * kCluster);
  how.grid.x = static_cast<unsigned>((tiles < clusters ? tiles : clusters) * kCluster);
  launch(how, exact_kernel<Shape>, p);
}

ExactParameters parameters(const GemmQuantized& op, int cluster) {
  const int rank = static_cast<int>(op.low_rank.cols);
  ExactParameters p{.activations = tensor_map({.data = op.a.codes,
                                               .rows = op.a.rows,
                                               .cols = op.a.cols,
                                               .row_bytes = op.a.code_stride,
                                               .box_rows = kExactTokens / cluster}),
                    .out = tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_UINT16,
                                       .element_bytes = 2,
                                       .data = op.out.bits.data,
                                       .rows = op.a.rows,
                                       .cols = op.w.rows,
                                       .row_bytes = 2 * op.out.bits.row_stride,
                                       .box_rows = kExactTokens}),
                    .m = static_cast<int>(op.a.rows),
                    .n = static_cast<int>(op.w.rows),
                    .k = static_cast<int>(op.a.cols),
                    .rank = rank,
                    .weights = op.w.codes,
                    .activation_scales = reinterpret_cast<const uint16_t*>(op.a.scales),
                    .weight_scales = reinterpret_cast<const uint16_t*>(op.w.scales),
                    .activation_scale_stride = op.a.scale_stride,
                    .weight_scale_stride = op.w.scale_stride,
                    .activation_powers = op.a.row_powers,
                    .weight_powers = op.w.row_powers,
                    .channel_scale = op.channel_scale,
                    .bias = op.bias,
                    .up = op.up.bits.data,
                    .up_stride = op.up.bits.row_stride,
                    .up_type = op.up.type,
                    .out_type = op.out.type};
  if (rank > 0)
    p.low_rank = tensor_map({.type = CU_TENSOR_MAP_DATA_TYPE_FLOAT32,
                             .element_bytes = 4,
                             .data = op.low_rank.data,
                             .rows = op.low_rank.rows,
                             .cols = op.low_rank.cols,
                             .row_bytes = 4 * op.low_rank.row_stride,
                             .box_rows = kExactTokens});
  if (op.norm_rope)
    p.rope = {static_cast<int>(op.norm_rope->heads),
              static_cast<int>(op.norm_rope->head_dim),
              op.norm_rope->query_weight,
              op.norm_rope->key_weight,
              op.norm_rope->epsilon,
              op.norm_rope->table.data,
              op.norm_rope->table.row_stride};
  return p;
}

}  // namespace

void gemm_exact_cuda(const GemmQuantized& op, int cluster, Stream stream) {
  const auto handle = static_cast<cudaStream_t>(stream.handle);
  if (op.norm_rope) return start<1, true>(parameters(op, 1), handle);
  if (cluster == 1) return start<1, false>(parameters(op, 1), handle);
  if (cluster == 2) return start<2, false>(parameters(op, 2), handle);
  throw Error(Errc::kUnexpected, concat("exact loop: no kernel for clusters of ", cluster));
}

void gemm_exact_cuda(const GemmQuantized& op, Stream stream) {
  gemm_exact_cuda(op, exact_cluster(op.w.rows, device_attribute(cudaDevAttrMultiProcessorCount)), stream);
}

}  // namespace svdlab::detail
