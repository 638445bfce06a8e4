#pragma once
#include <string>
#include <vector>

#include "core/ir/tensor.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"

namespace svdlab {

/// One picture to make. Noise and conditioning belong to the item, never to a batch or a thread.
struct SampleItem {
  std::string name;       ///< file name without extension; also the key of the noise
  int64_t label = -1;     ///< class, or -1 for items read from a file
  Tensor latents;         ///< [1, tokens, channels] fp32 starting noise
  Tensor tokens, pooled;  ///< [1, T, D], [1, P] fp32
};

/// What `sampling.yaml` beside a model says: how its latents become pictures and which guidance is its best.
struct SamplingFacts {
  int64_t height = 32, width = 32;  ///< pixels, equal to latent size for pixel-space models
  double guidance = 1.0;
  std::vector<std::string> classes;
};
/// Throws kInput when the file is missing, kConfig when it does not parse.
SamplingFacts load_sampling_facts(const std::string& model_folder);

/// `count` items named <prefix>-<index>-<class>, classes in turn.
std::vector<SampleItem> class_items(const Model& model, const Conditioning& conditioning,
                                    const SamplingFacts& facts, const std::string& prefix, int64_t count,
                                    uint64_t seed);

/// Items of a safetensors file with tensors `<item>.latents` [tokens, channels], `<item>.tokens` [T, D] and
/// `<item>.pooled` [P]; sorted by name. kInput names the first item with a missing or mis-shaped tensor.
std::vector<SampleItem> file_items(const Model& model, const std::string& path);

}  // namespace svdlab
