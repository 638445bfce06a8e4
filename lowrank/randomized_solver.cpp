#include "core/base/rng.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

// Uniform on [-1, 1]: as good a test matrix as a Gaussian one (any sub-Gaussian law is), without its
// logarithms.
Tensor sketch(int64_t rows, int64_t cols) {
  const Rng rng(0, "randomized-svd");
  Tensor t = at::empty({rows, cols}, at::kFloat);
  float* out = t.data_ptr<float>();
  for (int64_t block = 0; 4 * block < t.numel(); ++block) {
    const auto words = rng.block(static_cast<uint64_t>(block));
    for (int64_t i = 4 * block; i < std::min(4 * block + 4, t.numel()); ++i)
      out[i] = static_cast<float>(words[i % 4] >> 8) * 0x1p-23f - 1.0f;
  }
  return t;
}

Tensor orthonormal(const Tensor& m) { return std::get<0>(at::linalg_qr(m)); }

// Randomized subspace iteration (Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4).
class RandomizedSolver final : public LowRankSolver {
 public:
  RandomizedSolver(int64_t oversampling, int64_t iterations)
      : oversampling_(oversampling), iterations_(iterations) {}

  LowRankFactors solve(const Tensor& m, int64_t rank) const override {
    require_rank(m, rank);
    const int64_t width = std::min(rank + oversampling_, std::min(m.size(0), m.size(1)));
    if (rank == 0) return make_factors(m, m.new_zeros({m.size(0), 0}), m.new_zeros({0, m.size(1)}));
    Tensor basis = orthonormal(m.matmul(sketch(m.size(1), width).to(m.device())));
    // Without a QR at every half step the small directions drown in float32 behind an outlier channel.
    for (int64_t i = 0; i < iterations_; ++i) basis = orthonormal(m.matmul(orthonormal(m.t().matmul(basis))));
    return factors_in_range(m, basis, rank);
  }

 private:
  int64_t oversampling_, iterations_;
};

}  // namespace

std::unique_ptr<LowRankSolver> make_randomized_solver(Fields& options) {
  const int64_t oversampling = options.integer("oversampling", 32),
                iterations = options.integer("iterations", 6);
  SVDLAB_REQUIRE(oversampling >= 0 && iterations >= 0, Errc::kConfig, options.where(),
                 ": oversampling and iterations must not be negative: ", oversampling, ", ", iterations);
  return std::make_unique<RandomizedSolver>(oversampling, iterations);
}

}  // namespace svdlab
