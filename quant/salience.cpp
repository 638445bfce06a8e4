#include "quant/salience.h"

#include <cmath>

namespace svdlab {

double salience(std::span<const GroupProblem> problems, const Tensor& smooth) {
  double sum = 0, count = 0;
  for (const GroupProblem& p : problems) {
    Tensor squares = p.stats->gram.diagonal();
    if (smooth.defined()) squares = squares / smooth.to(at::kDouble).square();
    sum += squares.sum().item<double>();
    count += static_cast<double>(p.stats->tokens * p.channels());
  }
  return std::sqrt(sum / count);
}

}  // namespace svdlab
