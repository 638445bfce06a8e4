#pragma once
#include "tests/kernels/emulated/intrinsics.h"

namespace svdlab::device {

inline uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(static_cast<const uint8_t*>(p) - emulated::current->block->memory());
}

inline void cluster_barrier(unsigned blocks) {
  emulated::wait(blocks > 1 ? emulated::cluster_barrier_state : emulated::current->block->barrier);
}

inline void cluster_rendezvous(unsigned blocks) { cluster_barrier(blocks); }

/// The place of *p in the shared memory of another block of the cluster.
template <class T>
T* place_in_block(T* p, unsigned rank) {
  return reinterpret_cast<T*>(emulated::cluster[rank]->memory() + shared_address(p));
}

inline float read_of_block(const float* p, unsigned rank, unsigned blocks) {
  return blocks > 1 ? *place_in_block(p, rank) : *p;
}

inline float4 read4_of_block(const float* p, unsigned rank, unsigned blocks) {
  return *reinterpret_cast<const float4*>(blocks > 1 ? place_in_block(p, rank) : p);
}

}  // namespace svdlab::device
