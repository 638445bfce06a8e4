#include "core/base/rng.h"
#include "quant/weight_importance.h"

namespace svdlab {
namespace {

// By chance: what every other choice must beat. A function of the linear's name and the seed.
class RandomImportance final : public WeightImportance {
 public:
  explicit RandomImportance(uint64_t seed) : seed_(seed) {}

  std::vector<Tensor> of(const GroupProblem& problem, const WeightQuantizer&) const override {
    std::vector<Tensor> out;
    for (size_t i = 0; i < problem.weights.size(); ++i) {
      const Rng rng(seed_, "random importance of " + problem.linear_names[i]);
      out.push_back(at::empty(problem.weights[i].sizes(), at::kFloat));
      float* values = out.back().data_ptr<float>();
      for (int64_t k = 0; k < out.back().numel(); ++k) values[k] = rng.uniform(k);
    }
    return out;
  }

 private:
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<WeightImportance> make_random_importance(Fields& options) {
  return std::make_unique<RandomImportance>(static_cast<uint64_t>(options.integer("seed", 0)));
}

}  // namespace svdlab
