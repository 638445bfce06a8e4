#pragma once
#include <string>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

/// One pair of factors of an adapter file, under the name that the file gives the layer.
struct LoraModule {
  std::string name;  ///< without the suffix of the tensors, e.g. transformer.transformer_blocks.0.attn.to_q
  Tensor down;       ///< [rank, in_features], a view of the mapped file
  Tensor up;         ///< [out_features, rank]
  double scale = 1;  ///< alpha / rank, 1 where the file has no alpha
};

/// A LoRA adapter in a .safetensors file, or in a PEFT folder (adapter_model.safetensors and
/// adapter_config.json).
struct LoraFile {
  std::string path;
  std::string name;                   ///< file name without its ending
  std::string sha256;                 ///< of the .safetensors file
  std::vector<LoraModule> modules;    ///< by name
  std::vector<std::string> left_out;  ///< tensors of text encoders and learned tokens: not of a transformer
};

/// Reads the keys of kohya (x.lora_down.weight, x.lora_up.weight, x.alpha), PEFT and diffusers
/// (x.lora_A[.adapter].weight, x.lora_B..., x.lora.down.weight; alpha from the metadata or
/// adapter_config.json where they have one) and of cloneofsimo (x:down, x:up). 1 x 1 convolutions count as
/// linears. Throws kInput naming the tensor and its shape for anything else: half a pair, ranks that differ,
/// values that are not finite, larger convolutions, and adapters that are no sum W + scale up down (DoRA,
/// LoHa, LoKr).
LoraFile load_lora(const std::string& path);

}  // namespace svdlab
