#pragma once
#include <memory>

#include "kernels/bench/timing.h"

namespace svdlab::bench {

enum class BaselineType { kBf16, kFp8, kInt8 };

/// y[M, N] (+)= x[M, K] w[N, K]^T by cuBLASLt, the fastest of what its heuristic offers. Output bf16, int32
/// for int8. The library is looked up when the first one is made: Error kConfig where there is none.
class Baseline {
 public:
  struct Operands {
    const void *x = nullptr, *w = nullptr;
    void* y = nullptr;
  };

  Baseline(BaselineType type, int64_t m, int64_t n, int64_t k, bool accumulate, const Operands& operands,
           cudaStream_t stream);
  ~Baseline();
  void run(cudaStream_t stream) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace svdlab::bench
