#pragma once
#include "core/io/png.h"

namespace svdlab {

/// Structural similarity as scikit-image's structural_similarity defines it by default for 8-bit colour
/// pictures (channel_axis=-1, data_range=255): uniform window 7 x 7, sample covariance (49 / 48), k1 = 0.01,
/// k2 = 0.03, mean over the pixels whose window lies inside and over channels. Another number than ssim_tm.
/// 1 when equal. Throws kInput on unequal sizes and on sides below 7 pixels.
double ssim_sk(const Image& reference, const Image& candidate);

}  // namespace svdlab
