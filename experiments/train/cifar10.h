#pragma once
#include <string>

#include "core/ir/tensor.h"

namespace svdlab {

/// Training images in memory.
struct LabelledImages {
  Tensor images;  ///< [N, 3, 32, 32] uint8
  Tensor labels;  ///< [N] int64, 0..9
};

/// Reads the training part of CIFAR-10 stored as PNG sheets: cifar10_batch_<n>.png is 1024 pixels wide, each
/// row one image (32 x 32 pixels row-major), 1000 rows; labels.txt holds one label a line, sheet by sheet.
/// Sheets 0..49 are the training set; a missing sheet is kInput unless `allow_partial`, which takes those
/// that exist.
LabelledImages load_cifar10(const std::string& folder, bool allow_partial);

}  // namespace svdlab
