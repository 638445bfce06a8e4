#pragma once
#include "kernels/device/copy_async.cuh"
#include "kernels/device/fragments.h"
#include "kernels/device/quantize_exactly.cuh"

namespace svdlab::device {

// The stages that a block's groups pass through in shared memory: 64 rows of x, the low-rank factors,
// inverses of the divisors, the modulation.
template <int kTiles, bool kStep>
class QuantizeRing {
 public:
  static constexpr int kStages = quantize_stages(kTiles);

  /// For groups first .. last - 1 of rows block_row .. + 63.
  __device__ QuantizeRing(const QuantizeParameters& p, uint8_t* memory, int block_row, int first, int last)
      : p_(p), memory_(memory), block_row_(block_row), first_(first), last_(last) {}

  /// body(group, stage) for the groups of the range, in order, with all threads of the block. Copies are
  /// kStages - 1 groups ahead; a divisor is read with them and inverted a group later, when it has come.
  template <class Body>
  __device__ __forceinline__ void for_groups(Body body) {
    Source from = source();
    float coming = 1.0f, divisors[kStages - 1];  // all are read before one is waited for
#pragma unroll
    for (int i = 0; i < kStages - 1; ++i) divisors[i] = divisor(first_ + i);
#pragma unroll
    for (int i = 0; i < kStages - 1; ++i) {
      if (first_ + i < last_) fetch(from, memory_ + i * p_.stage_bytes);
      copy_async_commit();
    }
#pragma unroll
    for (int i = 0; i < kStages - 1; ++i) keep_inverse(divisors[i], memory_ + i * p_.stage_bytes);
    int now = 0;
    for (int g = first_; g < last_; ++g) {
      copy_async_wait<kStages - 2>();
      __syncthreads();
      const int unused = stage_before(now);
      if (g > first_) keep_inverse(coming, memory_ + stage_before(unused));
      coming = divisor(g + kStages - 1);
      if (g + kStages - 1 < last_) fetch(from, memory_ + unused);
      copy_async_commit();
      body(g, memory_ + now);
      now = now == (kStages - 1) * p_.stage_bytes ? 0 : now + p_.stage_bytes;
    }
    __syncthreads();
  }

 private:
  // What a thread copies of a group; all of it moves on with the group. Rows beyond the last are the last.
  struct Source {
    const uint16_t* x[kQuantizeRows / kCopiedRows];
    const uint16_t *down, *down_low;
    const uint16_t* modulation;  // or nullptr
    int to;
  };

  __device__ Source source() const {
    const int first = threadIdx.x / 8, byte = 16 * (threadIdx.x % 8), column = 64 * first_ + byte / 2;
    const int row = min(first, p_.rank - 1);
    Source s{.down = p_.down + row * p_.down_stride + column,
             .down_low = p_.down_low + row * p_.down_low_stride + column,
             .to = swizzle_128(first, byte)};
#pragma unroll
    for (int i = 0; i < kQuantizeRows / kCopiedRows; ++i)
      s.x[i] = p_.x + min(block_row_ + first + i * kCopiedRows, p_.rows - 1) * p_.x_stride + column;
    const int t = threadIdx.x;
    if (kStep && p_.step == InputStep::kLayerNormModulate && t >= 32 && t < 48) {
      s.modulation = (t < 40 ? p_.modulation.scale : p_.modulation.shift) + 64 * first_ + 8 * (t % 8);
    }
    return s;
  }

  // Starts the copies of a group to `stage`.
  __device__ void fetch(Source& s, uint8_t* stage) const {
    uint8_t* factors = stage + StagePlaces::kFactors + s.to;
#pragma unroll
    for (int i = 0; i < kQuantizeRows / kCopiedRows; ++i)
      copy_async<16>(stage + s.to + kStageRowBytes * kCopiedRows * i, s.x[i], true);
#pragma unroll
    for (int i = 0; i < 8 * kTiles; i += kCopiedRows)
      copy_async<16>(factors + kStageRowBytes * i, s.down + factor_step(i) * p_.down_stride, true);
    if (kStep && s.modulation)
      copy_async<16>(stage + StagePlaces::kModulation + 16 * (threadIdx.x % 16), s.modulation, true);
    if (kTiles > 0 && p_.down_low)
#pragma unroll
      for (int i = 0; i < 8 * kTiles; i += kCopiedRows)
        copy_async<16>(factors + kStageRowBytes * (8 * kTiles + i),
                       s.down_low + factor_step(i) * p_.down_low_stride, true);
#pragma unroll
    for (const uint16_t*& x : s.x) x += 64;
    s.down += 64, s.down_low += 64;
    if (kStep && s.modulation) s.modulation += 64;
  }

  // Rows of a factor from the thread's first one to that `i` further on; those beyond the last are the last,
  // copied for nobody.
  __device__ int factor_step(int i) const {
    const int first = threadIdx.x / 8;
    return i == 0 ? 0 : min(first + i, p_.rank - 1) - min(first, p_.rank - 1);
  }

  // A thread's divisor of group g: of 64 threads.
  __device__ float divisor(int g) const {
    return p_.divide_by && threadIdx.x < 64 && g < last_ ? __ldg(p_.divide_by + 64 * g + threadIdx.x) : 1.0f;
  }
  __device__ void keep_inverse(float divisor, uint8_t* stage) const {
    if (threadIdx.x < 64)
      reinterpret_cast<float*>(stage + StagePlaces::kInverses)[threadIdx.x] = safe_inverse(divisor);
  }

  __device__ int stage_before(int stage) const {
    return stage == 0 ? (kStages - 1) * p_.stage_bytes : stage - p_.stage_bytes;
  }

  const QuantizeParameters& p_;
  uint8_t* const memory_;
  const int block_row_, first_, last_;
};

}  // namespace svdlab::device
