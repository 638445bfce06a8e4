#pragma once
#include <string>
#include <vector>

#include "eval/feature_network.h"
#include "eval/lpips.h"
#include "eval/measured.h"
#include "eval/picture_pairs.h"

namespace svdlab {

struct FolderMeasurement {
  const FeatureNetwork* network = nullptr;  ///< for frechet, kid, precision, recall, class_agreement
  const Lpips* lpips = nullptr;
  int threads = 1;  ///< over pictures; results do not depend on it
};

/// psnr_mean, psnr_pooled, ssim_tm, ssim_sk, ms_ssim (pictures that are large enough), then what the networks
/// give. Throws kInput naming the pair that cannot be compared or read.
Measurements measure_folders(const PicturePairs& pairs, const FolderMeasurement& how);

}  // namespace svdlab
