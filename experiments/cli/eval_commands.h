#pragma once
#include <string>

#include "eval/picture_pairs.h"

namespace svdlab {

/// Shell commands that measure the same pairs with the programs others print numbers of: pytorch-fid,
/// clean-fid, torch-fidelity, lpips, torchmetrics, DeepCompressor. Where a folder holds more than the pairs,
/// they begin by linking the pairs into a temporary folder. For bash; file names may hold any character.
std::string other_programs(const PicturePairs& pairs);

}  // namespace svdlab
