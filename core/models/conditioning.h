#pragma once
#include <string>

#include "core/ir/tensor.h"

namespace svdlab {

/// What a class-conditional model is conditioned on, shipped beside it as `conditioning.safetensors`: per
/// class (and, last, for "no class") the token embeddings and the pooled vector that a text encoder would
/// have made.
struct Conditioning {
  Tensor tokens;  ///< [classes + 1, T, joint_attention_dim] fp32
  Tensor pooled;  ///< [classes + 1, pooled_projection_dim] fp32

  int64_t classes() const { return tokens.size(0) - 1; }
  int64_t no_class() const { return classes(); }
};

/// Throws kInput when the file is missing or its shapes do not fit together.
Conditioning load_conditioning(const std::string& model_folder);
void save_conditioning(const std::string& model_folder, const Conditioning& conditioning);

}  // namespace svdlab
