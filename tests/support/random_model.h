#pragma once
#include <string>

namespace svdlab::testing {

/// What a throw-away model looks like; 16 x 16 pixels, 10 classes, classifier-free guidance unless it is
/// embedded.
struct RandomModel {
  int heads = 2;  ///< hidden size is 32 heads
  int double_blocks = 1, single_blocks = 1;
  bool guidance_embeds = false;
  int side = 16;            ///< pixels
  bool nan_weight = false;  ///< one NaN in a single block: the 16-bit run is not finite either
  /// One weight of 3e38 in a single block, on an input channel that is always 0: the 16-bit run is fine, but
  /// a matrix with such an element has no singular values in fp32.
  bool huge_weight = false;
};

/// Writes a model folder in diffusers' layout with random weights that do something in every layer, with
/// conditioning.safetensors and sampling.yaml.
void write_random_model(const std::string& folder, const RandomModel& model = {});

}  // namespace svdlab::testing
