// Alone in its file: Eigen's SVD costs seconds to compile, and nothing else here may depend on Eigen.
#include <Eigen/SVD>

#include "lowrank/factors.h"

namespace svdlab {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Tensor to_tensor(const Matrix& m) {
  return at::from_blob(const_cast<double*>(m.data()), {m.rows(), m.cols()}, at::kDouble).clone();
}

// The oracle: a code base independent of LAPACK and of the solvers it judges.
class EigenSolver final : public LowRankSolver {
 public:
  LowRankFactors solve(const Tensor& m, int64_t rank, const Tensor&) const override {
    require_rank(m, rank);
    const Tensor wide = m.cpu().to(at::kDouble).contiguous();
    const Eigen::Map<const Matrix> view(wide.data_ptr<double>(), m.size(0), m.size(1));
    const Eigen::BDCSVD<Eigen::MatrixXd> svd(view, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const Matrix up = svd.matrixU().leftCols(rank) * svd.singularValues().head(rank).asDiagonal();
    const Matrix down = svd.matrixV().leftCols(rank).transpose();
    return make_factors(to_tensor(up).to(m.device()), to_tensor(down).to(m.device()));
  }
};

}  // namespace

std::unique_ptr<LowRankSolver> make_eigen_solver(Fields&) { return std::make_unique<EigenSolver>(); }

}  // namespace svdlab
