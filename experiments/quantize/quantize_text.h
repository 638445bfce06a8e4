#pragma once
#include <string>

#include "experiments/quantize/memory_plan.h"

namespace svdlab {

// What `svdlab quantize` prints on stdout.

/// Rules with their layers, units of work, memory and disk. kResource when the disk is too full for what is
/// open.
/// @param finished  '1' or '0' for each job.
void print_plan(const Graph& graph, const QuantizePlan& plan, const MemoryPlan& memory,
                const std::string& finished, const std::string& out, int ranks);

/// The names, if any; then throws kConfig with their number.
void print_unmatched(const Unmatched& unmatched);

/// What is in the finished folder, and what it took.
void print_result(const std::string& out, const MemoryPlan& memory, int64_t peak, double seconds);

}  // namespace svdlab
