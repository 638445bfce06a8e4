#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

/// Which elements of a weight stay in 16 bit: the round(share * numel) of the largest importance, of equals
/// the first in row-major order. GWQ (arXiv 2411.00850) takes |g| of one calibration sample for the
/// importance and 1 % for the share; WeightFisher::full orders like it, and over several samples by their
/// root mean square.
/// @param importance  [O, K], finite, >= 0.  @param share  0 to 1.  @return [O, K] bool.
/// Throws kConfig for another share, kInput for importance that is not finite or negative.
Tensor keep_mask(const Tensor& importance, double share);

}  // namespace svdlab
