#pragma once
#include <string>
#include <vector>

#include "core/ir/tensor.h"
#include "eval/measured.h"

namespace svdlab {

/// Saved latents of one item: [1, tokens, channels] of the end, or [steps + 1, tokens, channels], the noise
/// first, as `svdlab sample --latents-per-step` writes them.
struct LatentPair {
  std::string name;
  Tensor reference, candidate;
};

/// latent_sqnr: mean over items of the SQNR of the end, in dB; latent_sqnr_pooled: SQNR of all ends together;
/// latent_rel_error; and, where the steps were saved, trajectory_sqnr_<k>: the mean after step k. kInput
/// naming the item on unequal shapes, on another number of axes and on values that are not finite.
Measurements measure_latents(const std::vector<LatentPair>& pairs, const std::string& compared_with);

/// The files <item>.safetensors of two folders, tensor `latents`, paired by name. Throws kInput as
/// pair_pictures does.
std::vector<LatentPair> load_latent_pairs(const std::string& reference, const std::string& candidate,
                                          bool allow_missing = false);

}  // namespace svdlab
