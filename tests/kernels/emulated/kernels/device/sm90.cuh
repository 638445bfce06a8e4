#pragma once
#include <cstdio>

#include "kernels/device/cluster.cuh"
#include "kernels/device/fragments.h"
#include "kernels/device/tensor_map.cuh"

namespace svdlab::device {

// Copies are done when they are started. A barrier's 64 bits, like the hardware's, are all of it: arrivals
// that a phase needs, arrivals so far, bytes awaited (signed: they may come before they are announced),
// parity.
struct ArrivalState {
  uint8_t need, arrived, parity, unused;
  int32_t bytes;
};

inline ArrivalState& state_of(uint64_t* barrier) { return *reinterpret_cast<ArrivalState*>(barrier); }

inline void count_in(uint64_t* barrier, int arrivals, int bytes) {
  ArrivalState& s = state_of(barrier);
  ++emulated::progress;
  s.arrived = static_cast<uint8_t>(s.arrived + arrivals);
  s.bytes += bytes;
  if (s.arrived == s.need && s.bytes == 0) s.arrived = 0, s.parity ^= 1;
  if (s.arrived <= s.need) return;
  std::fprintf(stderr, "emulated barrier: more than %d arrivals\n", s.need);
  std::abort();
}

inline void barrier_init(uint64_t* barrier, unsigned arrivals) {
  state_of(barrier) = {.need = static_cast<uint8_t>(arrivals)};
}
inline void barrier_init_fence() {}
inline void barrier_arrive(uint64_t* barrier) { count_in(barrier, 1, 0); }
inline void barrier_arrive_at(uint64_t* barrier, unsigned rank) {
  count_in(place_in_block(barrier, rank), 1, 0);
}
inline void barrier_arrive_expect(uint64_t* barrier, unsigned bytes) {
  count_in(barrier, 1, static_cast<int>(bytes));
}
inline void barrier_wait(uint64_t* barrier, unsigned parity) {
  while (state_of(barrier).parity == parity) emulated::yield();
}

inline bool barrier_test(uint64_t* barrier, unsigned parity) { return state_of(barrier).parity != parity; }

inline void copy_bytes(void* to, const void* from, unsigned bytes, uint64_t* barrier) {
  std::memcpy(to, from, bytes);
  count_in(barrier, 0, -static_cast<int>(bytes));
}

/// body(place in the box, address in the matrix, or nullptr outside) for every byte of a box.
template <class Body>
void for_box(const CUtensorMap* map, int x, int y, Body body) {
  BoxedMatrix m;
  std::memcpy(&m, map, sizeof m);
  for (int r = 0; r < m.box_rows; ++r)
    for (int byte = 0; byte < 128; ++byte) {
      const bool inside = y + r < m.rows && x + byte / m.element_bytes < m.cols;
      const auto* from =
          static_cast<const uint8_t*>(m.data) + (y + r) * m.row_bytes + x * m.element_bytes + byte;
      body(swizzle_128(r, byte), inside ? from : nullptr);
    }
}

inline int box_bytes(const CUtensorMap* map) {
  BoxedMatrix m;
  std::memcpy(&m, map, sizeof m);
  return 128 * m.box_rows;
}

inline void copy_box(void* to, const CUtensorMap* map, int x, int y, uint64_t* barrier) {
  for_box(map, x, y,
          [&](int place, const uint8_t* from) { static_cast<uint8_t*>(to)[place] = from ? *from : 0; });
  count_in(barrier, 0, -box_bytes(map));
}

inline void copy_box_to_blocks(void* to, const CUtensorMap* map, int x, int y, uint64_t* barrier,
                               uint16_t blocks) {
  for (unsigned i = 0; i < emulated::cluster.size(); ++i)
    if (blocks >> i & 1)
      copy_box(place_in_block(static_cast<uint8_t*>(to), i), map, x, y, place_in_block(barrier, i));
}

inline void store_box(const CUtensorMap* map, int x, int y, const void* from) {
  for_box(map, x, y, [&](int place, const uint8_t* to) {
    if (to) *const_cast<uint8_t*>(to) = static_cast<const uint8_t*>(from)[place];
  });
}

inline void stores_have_read() {}
inline void fence_shared_for_engines() {}

inline void named_barrier(int name, int threads) {
  emulated::Barrier& barrier = emulated::current->block->named[name];
  barrier.need = threads;
  emulated::wait(barrier);
}

template <int kRegisters>
void keep_registers() {}
template <int kRegisters>
void take_registers() {}

inline void store_transposed(uint32_t address, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const uint32_t mine[4] = {a, b, c, d};
  uint32_t all[32][4];
  emulated::gather(mine, all);
  const int matrix = emulated::lane() / 8, col = emulated::lane() % 8;
  for (int row = 0; row < 8; ++row) {
    const auto value = static_cast<uint16_t>(all[4 * row + col / 2][matrix] >> 16 * (col % 2));
    std::memcpy(emulated::current->block->memory() + address + 2 * row, &value, 2);
  }
}

}  // namespace svdlab::device
