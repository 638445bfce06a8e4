#include <gtest/gtest.h>

#include "core/base/value.h"
#include "core/models/model.h"
#include "lowrank/factors.h"
#include "lowrank/solver.h"

namespace svdlab {
namespace {

// The claim a study relies on when it uses the fast solver: on a trained model nothing is lost to it.
TEST(RandomizedSolver, ResidualEnergyIsWithinAThousandthOfTheBestOnEveryLayerOfTheEmbeddedModel) {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  const Value none = Value::map();
  Fields options(none, ""), oracle_options(none, "");
  const auto fast = low_rank_solvers().at("randomized")(options);
  const auto best = low_rank_solvers().at("gram")(oracle_options);
  double worst = 0;
  for (const LinearSpec& linear : model.graph.linears) {
    if (linear.block.empty()) continue;
    for (const int64_t rank : {8, 16, 32}) {
      const Tensor w = linear.weight.to(at::kFloat);
      const double excess =
          residual_energy(w, fast->solve(w, rank)) / residual_energy(w, best->solve(w, rank)) - 1.0;
      EXPECT_TRUE(excess <= 1e-3) << linear.name << " rank " << rank << ": " << excess;
      worst = std::max(worst, excess);
    }
  }
  RecordProperty("worst_excess", std::to_string(worst));
  std::printf("worst excess residual energy %.2e\n", worst);
}

}  // namespace
}  // namespace svdlab
