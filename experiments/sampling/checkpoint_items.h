#pragma once
#include <optional>
#include <string>
#include <vector>

#include "experiments/sampling/items.h"

namespace svdlab {

/// Items of a real checkpoint: what its text encoders and scheduler made elsewhere (experiments/
/// encode_decode.py encode).
struct CheckpointItems {
  std::vector<SampleItem> items;  ///< sorted by name
  int64_t height = 0, width = 0;  ///< of the latents before packing: twice the grid of image tokens
  std::vector<double> sigmas;     ///< steps + 1, the scheduler's own; empty: FLUX's schedule
  std::optional<double> guidance;
};

/// @param prompts  safetensors with `<item>.tokens` [T, D] and `<item>.pooled` [P]
/// @param latents  safetensors with `<item>.latents` [tokens, channels], perhaps `sigmas` [steps + 1], and in
///                 its metadata `height` and `width` (without: a square) and perhaps `guidance`
/// Throws kInput naming the file and the first item that is in one file alone or has a mis-shaped tensor, and
/// for sizes that do not fit the tokens.
CheckpointItems load_checkpoint_items(const Model& model, const std::string& prompts,
                                      const std::string& latents);

}  // namespace svdlab
