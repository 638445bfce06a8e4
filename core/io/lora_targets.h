#pragma once
#include <string>
#include <vector>

#include "core/io/lora_file.h"
#include "core/ir/lora.h"

namespace svdlab {

struct LinearShape {
  std::string name;  ///< the checkpoint's module name
  int64_t out_features = 0, in_features = 0;
};

struct MatchedLora {
  LoraDeltas deltas;                   ///< by linear, `strength` times the module's own scale
  std::vector<std::string> unmatched;  ///< modules of the file that are none of the linears
};

/// Which linears an adapter is for. Names are diffusers' or, for FLUX.1, those of its first release
/// (double_blocks.0.img_attn.qkv), with dots or kohya's underscores, behind any of the usual prefixes. A
/// module of FLUX's fused linears (qkv, linear1) becomes one delta for each part, all with the same down
/// factor. Throws kInput naming both shapes when a module does not fit its linear, and when two modules are
/// for the same one.
MatchedLora match_lora(const LoraFile& lora, const std::vector<LinearShape>& linears, double strength);

}  // namespace svdlab
