#pragma once
#include "core/io/png.h"

namespace svdlab {

/// Structural similarity (Wang et al. 2004) as torchmetrics 1.4.2 and newer define it: Gaussian window 11 x
/// 11 of sigma 1.5, k1 = 0.01, k2 = 0.03, range 255, reflected borders, mean over pixels and channels. 1 when
/// equal. In double. Throws kInput on unequal sizes and on sides below 6 pixels (the border could not be
/// reflected).
double ssim_tm(const Image& reference, const Image& candidate);

}  // namespace svdlab
