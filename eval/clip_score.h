#pragma once
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

/// CLIP score of each picture with its prompt (Hessel et al. 2021 as torchmetrics prints it): max(100 cos,
/// 0) of their embeddings. The number is the embedding network's; papers here use
/// openai/clip-vit-large-patch14.
/// @param images, texts  [n, D]. Throws kInput on other shapes, on values that are not finite and on an
/// embedding of length 0, naming the row.
std::vector<double> clip_scores(const Tensor& images, const Tensor& texts);

}  // namespace svdlab
