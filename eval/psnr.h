#pragma once
#include <vector>

#include "core/io/png.h"

namespace svdlab {

/// Mean of the squared differences of two 8-bit images; kInput on unequal or empty sizes.
double mean_squared_error(const Image& reference, const Image& candidate);

/// 10 log10(range^2 / mse) in dB; +inf for 0.
double psnr_of(double mean_squared_error, double range = 255);

/// PSNR of one pair.
double psnr(const Image& reference, const Image& candidate);
/// Mean of the PSNR of each pair: the number papers print (torchmetrics with dim=(1,2,3)). +inf as soon as
/// one pair is equal. Throws kInput on no pairs.
double psnr_mean(const std::vector<Image>& references, const std::vector<Image>& candidates);
/// PSNR of the squared error over all pixels of all pairs: a different number, at most psnr_mean for equal
/// sizes.
double psnr_pooled(const std::vector<Image>& references, const std::vector<Image>& candidates);

}  // namespace svdlab
