#include "core/base/rng.h"
#include "lowrank/factors.h"

namespace svdlab {
namespace {

// Uniform on [-1, 1]: as good a test matrix as a Gaussian one (any sub-Gaussian law is), without its
// logarithms.
Tensor sketch(int64_t rows, int64_t cols) {
  const Rng rng(0, "randomized-svd");
  std::vector<float> values(rows * cols);
  for (size_t block = 0; 4 * block < values.size(); ++block) {
    const auto words = rng.block(block);
    for (size_t i = 4 * block; i < std::min(4 * block + 4, values.size()); ++i)
      values[i] = static_cast<float>(words[i % 4] >> 8) * 0x1p-23f - 1.0f;
  }
  return at::tensor(values).reshape({rows, cols});
}

Tensor orthonormal(const Tensor& m) { return orthonormal_columns(m).q; }

// Randomized subspace iteration (Halko, Martinsson, Tropp, SIAM Review 2011, algorithm 4.4). `warm` >= 0:
// started from the basis of a matrix like this one, so many iterations are enough; every iteration multiplies
// the error of the subspace by a power of the ratio of singular values, and a sketch has farther to go.
class RandomizedSolver final : public LowRankSolver {
 public:
  RandomizedSolver(int64_t oversampling, int64_t iterations, int64_t warm)
      : oversampling_(oversampling), iterations_(iterations), warm_(warm) {}

  LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor& start) const override {
    require_rank(m, rank);
    const int64_t width = std::min(rank + oversampling_, std::min(m.size(0), m.size(1)));
    if (rank == 0) return make_factors(m.new_zeros({m.size(0), 0}), m.new_zeros({0, m.size(1)}));
    const bool warm = warm_ >= 0 && start.defined() && start.size(0) == m.size(0) && start.size(1) == width;
    Tensor basis = warm ? start : orthonormal(m.matmul(sketch(m.size(1), width).to(m.device())));
    // Without a QR at every half step the small directions drown in float32 behind an outlier channel.
    for (int64_t i = 0; i < (warm ? warm_ : iterations_); ++i)
      basis = orthonormal(m.matmul(orthonormal(m.t().matmul(basis))));
    return factors_in_range(m, basis, rank);
  }

 private:
  int64_t oversampling_, iterations_, warm_;
};

std::unique_ptr<LowRankSolver> make_solver(Fields& options, int64_t default_iterations, int64_t warm) {
  const int64_t oversampling = options.integer("oversampling", 32),
                iterations = options.integer("iterations", default_iterations);
  SVDLAB_REQUIRE(oversampling >= 0 && iterations >= 0, Errc::kConfig, options.where(),
                 ": oversampling and iterations must not be negative: ", oversampling, ", ", iterations);
  return std::make_unique<RandomizedSolver>(oversampling, iterations, warm);
}

}  // namespace

std::unique_ptr<LowRankSolver> make_randomized_solver(Fields& options) { return make_solver(options, 6, -1); }

std::unique_ptr<LowRankSolver> make_subspace_solver(Fields& options) {
  const int64_t warm = options.integer("warm_iterations", 1);
  SVDLAB_REQUIRE(warm >= 0, Errc::kConfig, options.where(), ": `", options.path_of("warm_iterations"),
                 "` must not be negative: ", warm);
  return make_solver(options, 3, warm);
}

}  // namespace svdlab
