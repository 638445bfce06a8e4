#pragma once
#include "core/io/png.h"

namespace svdlab {

/// Smallest side ms_ssim can measure: four halvings must leave the 11 x 11 window of the last scale inside.
inline constexpr int kMsSsimLeastSide = 176;

/// Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003) as torchmetrics defines it: five scales
/// by 2 x 2 means, exponents 0.0448, 0.2856, 0.3001, 0.2363, 0.1333, the window and borders of ssim_tm; the
/// first four scales contribute contrast * structure over the pixels whose window needs no border, the last
/// one the whole SSIM over all pixels; each is the mean over pixels and channels, negative ones count as 0
/// (`normalize="relu"`). 1 when equal. In double. Throws kInput on unequal sizes and on sides below
/// kMsSsimLeastSide.
double ms_ssim(const Image& reference, const Image& candidate);

/// ssim_tm and ms_ssim of one pair, bit for bit; the first scale, most of the work, is computed once.
struct SsimScales {
  double ssim_tm = 0, ms_ssim = 0;
};
SsimScales ssim_scales(const Image& reference, const Image& candidate);

}  // namespace svdlab
