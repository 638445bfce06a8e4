#pragma once
#include <string>
#include <vector>

#include "core/io/lora_file.h"

namespace svdlab {

struct MergedLora {
  std::vector<std::string> weights;   ///< tensors that changed
  std::vector<std::string> left_out;  ///< modules that are no linear of the checkpoint
};

/// Writes a copy of the checkpoint folder `model` whose weights W are W + strength (alpha / rank) up down,
/// rounded once to their own type; of any architecture, since linears are found by their tensors' names.
/// Files without such weights are hard links where the file system allows. Holds the changed weights of one
/// file in memory. `out` appears when it is complete. Throws kInput when a module does not fit, kConfig for
/// modules that are no linear of it unless `partial`, and when `out` is there already.
MergedLora merge_lora(const std::string& model, const LoraFile& lora, double strength, bool partial,
                      const std::string& out);

}  // namespace svdlab
