#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/ir/lora.h"
#include "lowrank/compression_jobs.h"

namespace svdlab {

/// A LoRA adapter that is merged into the weights before they are quantized.
struct LoraChoice {
  std::string path;  ///< see load_lora
  double strength = 1;
};
/// `FILE` or `FILE:strength`. kConfig for a strength that is no finite number.
LoraChoice parse_lora_choice(const std::string& text);

struct LoraPlan {
  LoraDeltas deltas;               ///< of all adapters; their factors are views of mapped files
  Value config = Value::list();    ///< [{name, sha256, strength, linears}], part of what decides the result
  std::vector<std::string> files;  ///< that are read
};

/// Throws kInput when a module does not fit, and kConfig for one that is no linear of the model or of one
/// that stays 16 bit: the checkpoint, which keeps those, is not changed.
LoraPlan plan_loras(const std::vector<LoraChoice>& choices, const Graph& graph,
                    const std::vector<CompressionJob>& jobs);

/// `graph` with the merged fp32 weights of a job's linears.
Graph merged_graph(const Graph& graph, const CompressionJob& job, const LoraDeltas& deltas);

}  // namespace svdlab
