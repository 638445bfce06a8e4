#pragma once
#include <vector_types.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <vector>

// Threads of a GPU as fibers of one CPU thread, so that kernels/*_cuda.cu can be run where there is no GPU:
// slow, deterministic, and blind to races, to the compiler for the GPU and to what the emulated instructions
// get wrong. tests/kernels/emulated/run.sh builds the kernels on top of it.
namespace svdlab::emulated {

/// Lets `need` fibers go on together.
struct Barrier {
  int need = 0, count = 0;
  unsigned generation = 0;
};

struct Warp {
  Barrier barrier;
  uint64_t slots[32];  ///< what its lanes show each other
};

struct Block {
  Barrier barrier;
  std::map<int, Barrier> named;
  std::vector<Warp> warps;
  std::vector<uint8_t> shared;  ///< with room for an alignment of 1024

  uint8_t* memory() {
    return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(shared.data()) + 1023) & ~uintptr_t{1023});
  }
};

struct Fiber {
  void* stack_pointer = nullptr;
  std::vector<uint8_t> stack;
  bool done = false;
  Barrier* waits_for = nullptr;
  unsigned generation = 0;
  uint3 thread{}, block_index{};
  Block* block = nullptr;
  const std::function<void()>* body = nullptr;
};

extern Fiber* current;
extern dim3 grid_dim;
extern std::vector<Block*> cluster;  ///< the blocks that run now
extern Barrier cluster_barrier_state;
extern int64_t
    progress;  ///< arrivals of any kind: without any for long, the kernel hangs and the program aborts

/// Lets the other fibers run.
void yield();
void wait(Barrier& barrier);

inline int lane() { return static_cast<int>(current->thread.x % 32); }
inline Warp& warp() { return current->block->warps[current->thread.x / 32]; }

/// The value of lane `from` of the warp; all lanes call.
template <class T>
T exchanged(T value, int from) {
  static_assert(sizeof(T) <= 8);
  Warp& w = warp();
  std::memcpy(&w.slots[lane()], &value, sizeof value);
  wait(w.barrier);
  T out;
  std::memcpy(&out, &w.slots[from], sizeof out);
  wait(w.barrier);
  return out;
}

/// The words of all lanes of the warp; all lanes call.
template <int kWords>
void gather(const uint32_t (&mine)[kWords], uint32_t (&all)[32][kWords]) {
  Warp& w = warp();
  for (int i = 0; i < kWords; ++i) {
    w.slots[lane()] = mine[i];
    wait(w.barrier);
    for (int l = 0; l < 32; ++l) all[l][i] = static_cast<uint32_t>(w.slots[l]);
    wait(w.barrier);
  }
}

/// Runs a kernel to its end, cluster by cluster.
void run_grid(dim3 grid, dim3 block, size_t shared_bytes, unsigned cluster_size,
              const std::function<void()>& kernel);

}  // namespace svdlab::emulated
