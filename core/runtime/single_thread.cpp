#include "core/runtime/single_thread.h"

#include <ATen/Parallel.h>

#include <mutex>

// OpenBLAS with its own thread pool ignores OpenMP's setting. Weak: other BLAS libraries do not have these.
extern "C" {
__attribute__((weak)) void openblas_set_num_threads(int threads);
__attribute__((weak)) int openblas_get_num_threads(void);
}

namespace svdlab {
namespace {

std::mutex mutex;
int scopes = 0;
int blas_threads = 0;

bool has_openblas() { return openblas_set_num_threads != nullptr && openblas_get_num_threads != nullptr; }

}  // namespace

SingleThreadScope::SingleThreadScope() : previous_(at::get_num_threads()) {
  at::set_num_threads(1);
  const std::lock_guard lock(mutex);
  if (scopes++ > 0 || !has_openblas()) return;
  blas_threads = openblas_get_num_threads();
  openblas_set_num_threads(1);
}

SingleThreadScope::~SingleThreadScope() {
  at::set_num_threads(previous_);
  const std::lock_guard lock(mutex);
  if (--scopes == 0 && has_openblas()) openblas_set_num_threads(blas_threads);
}

}  // namespace svdlab
