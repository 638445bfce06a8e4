#include "lowrank/solver.h"

#include "lowrank/factors.h"

namespace svdlab {

double LowRankSolver::residual(const Tensor& m, const LowRankFactors& factors) const {
  return residual_energy(m, factors);
}

}  // namespace svdlab
