#pragma once
#include <string>
#include <vector>

#include "eval/bootstrap.h"
#include "eval/feature_network.h"
#include "eval/lpips.h"
#include "eval/picture_pairs.h"

namespace svdlab {

/// One number over pairs of pictures, and by which definition.
struct Measured {
  std::string metric;          ///< "psnr_mean"
  std::string unit;            ///< "dB" or ""
  Interval interval;           ///< lo and hi are NaN where no interval is known
  std::string implementation;  ///< "scikit-image default, uniform 7 x 7"
};

struct FolderMetrics {
  std::vector<Measured> values;
  std::vector<std::string> notes;  ///< what was not measured and why; what to mind
};

struct FolderMeasurement {
  const FeatureNetwork* network = nullptr;  ///< for frechet, kid, precision, recall, class_agreement
  const LpipsSqueeze* lpips = nullptr;
  int threads = 1;  ///< over pictures; results do not depend on it
};

/// psnr_mean, psnr_pooled, ssim_tm, ssim_sk, ms_ssim (pictures that are large enough), then what the networks
/// give. Throws kInput naming the pair that cannot be compared or read.
FolderMetrics measure_folders(const PicturePairs& pairs, const FolderMeasurement& how);

}  // namespace svdlab
