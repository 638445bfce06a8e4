#include "kernels/norm_rope.cuh"

#include "kernels/device/checked.cuh"
#include "kernels/device/half.cuh"

namespace svdlab::detail {
namespace {

using namespace device;

constexpr int kWarps = 8, kMaxPairs = 2;  // a lane has up to two pairs of a head of at most 128 channels

struct Parameters {
  uint32_t* out;
  int64_t stride;  // pairs
  int tokens, heads, head_dim;
  const float *query_weight, *key_weight, *table;
  int64_t table_stride;
  float epsilon;
};

// One warp, one head of one token.
template <HalfType kType>
__global__ void norm_rope_kernel(const __grid_constant__ Parameters p) {
  const int64_t index = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  const int lane = threadIdx.x % 32, pairs = p.head_dim / 2;
  if (index >= static_cast<int64_t>(p.tokens) * 2 * p.heads) return;
  const int64_t token = index / (2 * p.heads);
  const int head = static_cast<int>(index % (2 * p.heads));
  uint32_t* row = p.out + token * p.stride + head * pairs;
  float2 x[kMaxPairs] = {};
  float sum = 0;
#pragma unroll
  for (int i = 0; i < kMaxPairs; ++i)
    if (lane + 32 * i < pairs) {
      x[i] = unpack_halves<kType>(row[lane + 32 * i]);
      sum += x[i].x * x[i].x + x[i].y * x[i].y;
    }
#pragma unroll
  for (int step = 1; step < 32; step *= 2) sum += __shfl_xor_sync(0xffffffffu, sum, step);
  const float inverse = __frcp_rn(__fsqrt_rn(sum / p.head_dim + p.epsilon));
  const float* weight = head < p.heads ? p.query_weight : p.key_weight;
#pragma unroll
  for (int i = 0; i < kMaxPairs; ++i) {
    const int pair = lane + 32 * i;
    if (pair >= pairs) continue;
    const float2 n = unpack_halves<kType>(
        pack_halves<kType>(x[i].x * inverse * weight[2 * pair], x[i].y * inverse * weight[2 * pair + 1]));
    const float* angle = p.table + token * p.table_stride + 2 * pair;
    row[pair] = pack_halves<kType>(n.x * angle[0] - n.y * angle[1], n.x * angle[1] + n.y * angle[0]);
  }
}

}  // namespace

void norm_rope_cuda(const NormRope& rope, const HalfOutput& out, Stream stream) {
  const Parameters p{.out = reinterpret_cast<uint32_t*>(out.bits.data),
                     .stride = out.bits.row_stride / 2,
                     .tokens = static_cast<int>(out.rows()),
                     .heads = static_cast<int>(rope.heads),
                     .head_dim = static_cast<int>(rope.head_dim),
                     .query_weight = rope.query_weight,
                     .key_weight = rope.key_weight,
                     .table = rope.table.data,
                     .table_stride = rope.table.row_stride,
                     .epsilon = rope.epsilon};
  const int64_t warps = out.rows() * 2 * rope.heads;
  const Launch how{.grid = dim3(static_cast<unsigned>((warps + kWarps - 1) / kWarps)),
                   .block = dim3(32 * kWarps),
                   .stream = static_cast<cudaStream_t>(stream.handle)};
  launch(how,
         out.type == HalfType::kBf16 ? norm_rope_kernel<HalfType::kBf16> : norm_rope_kernel<HalfType::kFp16>,
         p);
}

}  // namespace svdlab::detail
