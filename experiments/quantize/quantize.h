#pragma once
#include <string>
#include <vector>

#include "experiments/quantize/devices.h"
#include "experiments/quantize/quantize_config.h"
#include "experiments/quantize/quantize_lora.h"
#include "experiments/quantize/ranks.h"

namespace svdlab {

struct QuantizeOptions {
  std::string model;       ///< folder
  std::string statistics;  ///< file that `svdlab calibrate` wrote, or ""
  std::string out;         ///< folder, see core/io/compressed_file.h
  QuantizeConfig config;
  std::vector<LoraChoice> loras;  ///< merged into the weights before they are quantized
  int threads = 0;  ///< workers of each rank; 0: as many as cores and memory allow, on GPUs one for each.
                    ///< Scheduling only
  std::vector<at::Device> devices = {at::kCPU};  ///< the CPU, or GPUs of one kind; units are spread over them
};

/// Compresses a checkpoint of any size into `out`: weights and statistics are mapped and read job by job,
/// each job's file is written as it is done. A folder that is begun goes on where it was; its bytes depend on
/// model, configuration and statistics alone (and on the kind of GPU), not on threads, the number of GPUs,
/// ranks or interruptions. Prints the plan
/// (layers, memory, disk) first, and what was used of it last. Throws kConfig, kInput and kResource, before
/// the work where that can be known; every rank throws when one does.
void quantize(const QuantizeOptions& options, const Ranks& ranks);

/// Prints the plan alone, unmatched names included. kConfig when there are any.
void describe_quantize(const QuantizeOptions& options);

}  // namespace svdlab
