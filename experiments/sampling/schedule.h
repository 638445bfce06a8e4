#pragma once
#include <cstdint>
#include <vector>

namespace svdlab {

/// Noise levels of flow-matching Euler sampling with FLUX's resolution-dependent shift: `steps` + 1 values
/// from 1 down to 0, sigma = e^mu / (e^mu + 1 / s - 1) over s = 1, 1 - 1/steps ... 1/steps, where mu grows
/// linearly from 0.5 at 256 image tokens to 1.15 at 4096 (FLUX.1's scheduler configuration).
std::vector<double> flux_sigmas(int64_t steps, int64_t image_tokens);

}  // namespace svdlab
