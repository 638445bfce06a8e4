#include "kernels/bench/baselines.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <vector>

namespace svdlab::bench {
namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;
constexpr int kCandidates = 12;

// cuBLASLt, opened at run time: the program runs where it is missing, without these rows.
struct Library {
  template <class Function>
  static Function* find(const char* name) {
    static void* const library = dlopen("libcublasLt.so.13", RTLD_NOW);
    SVDLAB_REQUIRE(library, Errc::kConfig, "cuBLASLt: no libcublasLt.so.13 in LD_LIBRARY_PATH");
    void* symbol = dlsym(library, name);
    SVDLAB_REQUIRE(symbol, Errc::kConfig, "cuBLASLt: no ", name);
    return reinterpret_cast<Function*>(symbol);
  }
};

#define SVDLAB_LT(function) (*Library::find<decltype(function)>(#function))

void check(cublasStatus_t status, const char* call) {
  SVDLAB_REQUIRE(status == CUBLAS_STATUS_SUCCESS, Errc::kUnexpected, "cuBLASLt: ", call, ": status ",
                 static_cast<int>(status));
}

}  // namespace

struct Baseline::Plan {
  Operands operands;
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t x = nullptr, w = nullptr, y = nullptr;
  cublasLtMatmulAlgo_t algorithm;
  CudaBuffer workspace{static_cast<int64_t>(kWorkspaceBytes)};
  float alpha = 1, beta = 0;
  int32_t int_alpha = 1, int_beta = 0;
  bool integers = false;

  void run(const cublasLtMatmulAlgo_t& a, cudaStream_t stream) const {
    const void* one = integers ? static_cast<const void*>(&int_alpha) : &alpha;
    const void* add = integers ? static_cast<const void*>(&int_beta) : &beta;
    // Column-major: y^T [N, M] = (w as [K, N])^T x as [K, M].
    check(SVDLAB_LT(cublasLtMatmul)(handle, product, one, operands.w, w, operands.x, x, add, operands.y, y,
                                    operands.y, y, &a, workspace.data(), kWorkspaceBytes, stream),
          "cublasLtMatmul");
  }
};

Baseline::Baseline(BaselineType type, int64_t m, int64_t n, int64_t k, bool accumulate,
                   const Operands& operands, cudaStream_t stream)
    : plan_(std::make_unique<Plan>()) {
  Plan& p = *plan_;
  p.operands = operands;
  p.beta = accumulate ? 1.0f : 0.0f;
  p.int_beta = accumulate ? 1 : 0;
  p.integers = type == BaselineType::kInt8;
  const cudaDataType_t input = type == BaselineType::kBf16  ? CUDA_R_16BF
                               : type == BaselineType::kFp8 ? CUDA_R_8F_E4M3
                                                            : CUDA_R_8I;
  const cudaDataType_t output = p.integers ? CUDA_R_32I : CUDA_R_16BF;
  check(SVDLAB_LT(cublasLtCreate)(&p.handle), "cublasLtCreate");
  check(SVDLAB_LT(cublasLtMatmulDescCreate)(&p.product, p.integers ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                            p.integers ? CUDA_R_32I : CUDA_R_32F),
        "cublasLtMatmulDescCreate");
  const cublasOperation_t transposed = CUBLAS_OP_T;
  const auto set = [&](cublasLtMatmulDescAttributes_t attribute, const void* value, size_t bytes) {
    check(SVDLAB_LT(cublasLtMatmulDescSetAttribute)(p.product, attribute, value, bytes),
          "cublasLtMatmulDescSetAttribute");
  };
  set(CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
  if (type == BaselineType::kFp8) {
    const int8_t fast = 1;
    set(CUBLASLT_MATMUL_DESC_FAST_ACCUM, &fast, sizeof fast);
  }
  const auto layout = [&](cublasLtMatrixLayout_t* out, cudaDataType_t t, int64_t rows, int64_t cols) {
    check(SVDLAB_LT(cublasLtMatrixLayoutCreate)(out, t, rows, cols, rows), "cublasLtMatrixLayoutCreate");
  };
  layout(&p.w, input, k, n);
  layout(&p.x, input, k, m);
  layout(&p.y, output, n, m);
  cublasLtMatmulPreference_t preference = nullptr;
  check(SVDLAB_LT(cublasLtMatmulPreferenceCreate)(&preference), "cublasLtMatmulPreferenceCreate");
  check(SVDLAB_LT(cublasLtMatmulPreferenceSetAttribute)(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                        &kWorkspaceBytes, sizeof kWorkspaceBytes),
        "cublasLtMatmulPreferenceSetAttribute");
  std::vector<cublasLtMatmulHeuristicResult_t> found(kCandidates);
  int count = 0;
  const cublasStatus_t status = SVDLAB_LT(cublasLtMatmulAlgoGetHeuristic)(
      p.handle, p.product, p.w, p.x, p.y, p.y, preference, kCandidates, found.data(), &count);
  SVDLAB_LT(cublasLtMatmulPreferenceDestroy)(preference);
  check(status, "cublasLtMatmulAlgoGetHeuristic");
  SVDLAB_REQUIRE(count > 0, Errc::kConfig, "cuBLASLt: no algorithm for [", m, ", ", k, "] x [", n, ", ", k,
                 "]");
  double best = 0;
  for (int i = 0; i < count; ++i) {
    const double us = quick_time([&](cudaStream_t s) { p.run(found[i].algo, s); }, stream);
    if (i == 0 || us < best) best = us, p.algorithm = found[i].algo;
  }
}

Baseline::~Baseline() {
  if (!plan_) return;
  SVDLAB_LT(cublasLtMatrixLayoutDestroy)(plan_->x);
  SVDLAB_LT(cublasLtMatrixLayoutDestroy)(plan_->w);
  SVDLAB_LT(cublasLtMatrixLayoutDestroy)(plan_->y);
  SVDLAB_LT(cublasLtMatmulDescDestroy)(plan_->product);
  SVDLAB_LT(cublasLtDestroy)(plan_->handle);
}

void Baseline::run(cudaStream_t stream) const { plan_->run(plan_->algorithm, stream); }

}  // namespace svdlab::bench
