#include "tests/kernels/emulated/fibers.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

extern "C" void svdlab_switch_stack(void** save, void* to);
asm(R"(
.globl svdlab_switch_stack
svdlab_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

namespace svdlab::emulated {

Fiber* current;
dim3 grid_dim;
std::vector<Block*> cluster;
Barrier cluster_barrier_state;
int64_t progress;

namespace {

constexpr size_t kStackBytes = 128 * 1024, kSharedBytes = 64 * 1024;
constexpr int kIdleRounds = 1000;
void* scheduler;

void enter() {
  (*current->body)();
  current->done = true;
  for (;;) yield();
}

void prepare(Fiber& f) {
  f.done = false;
  f.waits_for = nullptr;
  f.stack.resize(kStackBytes);
  // Six registers, the address to return to, and a stack that looks as after a call.
  const auto end = (reinterpret_cast<uintptr_t>(f.stack.data()) + kStackBytes) & ~uintptr_t{15};
  void** top = reinterpret_cast<void**>(end) - 8;
  top[6] = reinterpret_cast<void*>(enter);
  top[7] = nullptr;
  f.stack_pointer = top;
}

bool may_run(const Fiber& f) { return !f.done && (!f.waits_for || f.waits_for->generation != f.generation); }

void run_until_done(std::vector<Fiber>& fibers, size_t count) {
  int idle = 0;
  for (size_t left = count; left > 0;) {
    const int64_t before = progress;
    for (size_t i = 0; i < count; ++i) {
      if (!may_run(fibers[i])) continue;
      current = &fibers[i];
      svdlab_switch_stack(&scheduler, current->stack_pointer);
      if (current->done) --left, ++progress;
    }
    idle = progress == before ? idle + 1 : 0;
    if (idle > kIdleRounds) {
      std::fprintf(stderr, "emulated kernel: %zu threads wait for ever\n", left);
      std::abort();
    }
  }
}

}  // namespace

void yield() { svdlab_switch_stack(&current->stack_pointer, scheduler); }

void wait(Barrier& barrier) {
  ++progress;
  const unsigned generation = barrier.generation;
  if (++barrier.count == barrier.need) {
    barrier.count = 0;
    ++barrier.generation;
    return;
  }
  current->waits_for = &barrier;
  current->generation = generation;
  while (barrier.generation == generation) yield();
  current->waits_for = nullptr;
}

void run_grid(dim3 grid, dim3 block, size_t shared_bytes, unsigned cluster_size,
              const std::function<void()>& kernel) {
  static std::vector<Fiber> fibers;
  grid_dim = grid;
  fibers.resize(std::max<size_t>(fibers.size(), cluster_size * block.x));
  for (unsigned y = 0; y < grid.y; ++y)
    for (unsigned x = 0; x < grid.x; x += cluster_size) {
      std::vector<std::unique_ptr<Block>> blocks;
      cluster.clear();
      cluster_barrier_state = {.need = static_cast<int>(cluster_size * block.x)};
      for (unsigned c = 0; c < cluster_size; ++c) {
        blocks.push_back(std::make_unique<Block>());
        Block& b = *blocks.back();
        b.barrier.need = static_cast<int>(block.x);
        b.warps.resize(block.x / 32);
        for (Warp& w : b.warps) w.barrier.need = 32;
        b.shared.assign((shared_bytes ? shared_bytes : kSharedBytes) + 1024, 0xcc);
        cluster.push_back(&b);
        for (unsigned t = 0; t < block.x; ++t) {
          Fiber& f = fibers[c * block.x + t];
          f.thread = {t, 0, 0};
          f.block_index = {x + c, y, 0};
          f.block = &b;
          f.body = &kernel;
          prepare(f);
        }
      }
      run_until_done(fibers, cluster_size * block.x);
    }
}

}  // namespace svdlab::emulated
