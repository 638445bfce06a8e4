#include "lowrank/factors.h"

namespace svdlab {
namespace {

// LAPACK's divide-and-conquer SVD of the whole matrix: exact to its precision, the slow baseline.
class FullSolver final : public LowRankSolver {
 public:
  explicit FullSolver(at::ScalarType type) : type_(type) {}

  LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor&) const override {
    require_rank(m, rank);
    const auto [u, s, vh] = at::linalg_svd(m.to(type_), /*full_matrices=*/false);
    return make_factors((u * s).slice(1, 0, rank), vh.slice(0, 0, rank));
  }

 private:
  at::ScalarType type_;
};

}  // namespace

std::unique_ptr<LowRankSolver> make_full_solver(Fields& options) {
  const std::string precision = options.text("precision", "fp64");
  SVDLAB_REQUIRE(precision == "fp32" || precision == "fp64", Errc::kConfig, options.where(), ": `",
                 options.path_of("precision"), "` must be fp32 or fp64, not ", precision);
  return std::make_unique<FullSolver>(precision == "fp64" ? at::kDouble : at::kFloat);
}

}  // namespace svdlab
