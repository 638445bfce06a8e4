#pragma once
#include <cstdint>

namespace svdlab::device {

// Blocks of a cluster (sm_90): they wait for each other and read each other's shared memory. With one block,
// on any architecture, these are the ordinary barrier and an ordinary read.

__device__ __forceinline__ uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

/// All threads of all `blocks` blocks; what was written to shared memory before is seen after.
__device__ __forceinline__ void cluster_barrier(unsigned blocks) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (blocks > 1) {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::
                     : "memory");
    return;
  }
#endif
  __syncthreads();
}

/// The same without the promise about memory, and so without waiting for stores on their way.
__device__ __forceinline__ void cluster_rendezvous(unsigned blocks) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (blocks > 1) {
    asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
    return;
  }
#endif
  __syncthreads();
}

/// *p as the block of that rank in the cluster has it.
__device__ __forceinline__ float read_of_block(const float* p, unsigned rank, unsigned blocks) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (blocks > 1) {
    uint32_t remote;
    float value;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(shared_address(p)), "r"(rank));
    asm volatile("ld.shared::cluster.f32 %0, [%1];" : "=f"(value) : "r"(remote) : "memory");
    return value;
  }
#endif
  return *p;
}

/// Four successive numbers, 16-byte aligned. Several of these are under way at once: no barrier may be waited
/// for before their results are used.
__device__ __forceinline__ float4 read4_of_block(const float* p, unsigned rank, unsigned blocks) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  if (blocks > 1) {
    uint32_t remote;
    float4 v;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(shared_address(p)), "r"(rank));
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
                 : "r"(remote));
    return v;
  }
#endif
  return *reinterpret_cast<const float4*>(p);
}

}  // namespace svdlab::device
