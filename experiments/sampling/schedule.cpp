#include "experiments/sampling/schedule.h"

#include <cmath>

#include "core/base/error.h"

namespace svdlab {

std::vector<double> flux_sigmas(int64_t steps, int64_t image_tokens) {
  SVDLAB_REQUIRE(steps > 0 && steps <= 1000, Errc::kConfig, "steps is ", steps, ", must be in [1, 1000]");
  const double mu = 0.5 + (1.15 - 0.5) * static_cast<double>(image_tokens - 256) / (4096 - 256);
  std::vector<double> sigmas;
  for (int64_t i = 0; i < steps; ++i) {
    const double s = 1.0 - static_cast<double>(i) / static_cast<double>(steps);
    sigmas.push_back(std::exp(mu) / (std::exp(mu) + 1.0 / s - 1.0));
  }
  sigmas.push_back(0.0);
  return sigmas;
}

}  // namespace svdlab
