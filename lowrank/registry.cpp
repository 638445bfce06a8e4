// The catalogue of this folder: one line for each strategy.
#include "lowrank/driver.h"
#include "lowrank/objective.h"
#include "lowrank/solver.h"

namespace svdlab {

std::unique_ptr<LowRankSolver> make_eigen_solver(Fields&);
std::unique_ptr<LowRankSolver> make_full_solver(Fields&);
std::unique_ptr<LowRankSolver> make_gram_solver(Fields&);
std::unique_ptr<LowRankSolver> make_randomized_solver(Fields&);
std::unique_ptr<LowRankSolver> make_subspace_solver(Fields&);
std::unique_ptr<LowRankObjective> make_diagonal_objective(Fields&);
std::unique_ptr<LowRankObjective> make_fisher_objective(Fields&);
std::unique_ptr<LowRankObjective> make_fisher_rows_objective(Fields&);
std::unique_ptr<LowRankObjective> make_plain_objective(Fields&);
std::unique_ptr<LowRankObjective> make_whitened_objective(Fields&);
std::unique_ptr<Driver> make_alternate_driver(Fields&);
std::unique_ptr<Driver> make_lorc_driver(Fields&);
std::unique_ptr<Driver> make_quantize_driver(Fields&);
std::unique_ptr<Driver> make_svdquant_driver(Fields&);

const Registry<LowRankSolverFactory>& low_rank_solvers() {
  static const Registry<LowRankSolverFactory> registry(
      "low-rank solver",
      {
          {"eigen", "Eigen's SVD in float64, the oracle: slow", make_eigen_solver},
          {"full", "LAPACK's SVD of the whole matrix", make_full_solver},
          {"gram", "eigenvectors of the smaller Gram matrix in float64", make_gram_solver},
          {"randomized", "subspace iteration from a seeded sketch: fast, within 0.1 % of exact",
           make_randomized_solver},
          {"subspace", "randomized, each candidate and round started from the one before: fastest",
           make_subspace_solver},
      });
  return registry;
}

const Registry<LowRankObjectiveFactory>& low_rank_objectives() {
  static const Registry<LowRankObjectiveFactory> registry(
      "low-rank objective",
      {
          {"plain", "every weight counts the same", make_plain_objective},
          {"diagonal", "columns weighted by their channel's root mean square input", make_diagonal_objective},
          {"whitened", "the layer's output error, by the Gram matrix of its input", make_whitened_objective},
          {"fisher-rows", "rows weighted by the root mean square of their gradients",
           make_fisher_rows_objective},
          {"fisher", "rows and columns weighted by the root mean square of their gradients",
           make_fisher_objective},
      });
  return registry;
}

const Registry<DriverFactory>& drivers() {
  static const Registry<DriverFactory> registry(
      "driver", {
                    {"quantize", "low-bit weights only", make_quantize_driver},
                    {"svdquant", "low-rank branch first, the residual quantized; optionally iterated",
                     make_svdquant_driver},
                    {"lorc", "quantized first, the low-rank branch fitted to the error", make_lorc_driver},
                    {"alternate", "lorc, then quantizing what the branch leaves and refitting it in turn",
                     make_alternate_driver},
                });
  return registry;
}

}  // namespace svdlab
