#pragma once
#include "kernels/device/cluster.cuh"

namespace svdlab::device {

template <int kBytes>
void copy_async(void* to, const void* from, bool inside) {
  inside ? std::memcpy(to, from, kBytes) : std::memset(to, 0, kBytes);
}
inline void copy_async_commit() {}
template <int kPending>
void copy_async_wait() {}

inline void load_matrices(uint32_t (&r)[4], const void* row) {
  const uint32_t mine[1] = {shared_address(row)};
  uint32_t all[32][1];
  emulated::gather(mine, all);
  const int l = emulated::lane();
  for (int k = 0; k < 4; ++k)
    std::memcpy(&r[k], emulated::current->block->memory() + all[8 * k + l / 4][0] + 4 * (l % 4), 4);
}

}  // namespace svdlab::device
