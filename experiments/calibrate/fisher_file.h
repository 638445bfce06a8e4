#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/ir/stats.h"

namespace svdlab {

// Gradient statistics in a file of statistics, see stats_file.h: for each linear of a group
// `<group>.fisher.<linear>.rows` [O] and `.cols` [K] fp64, `.samples` [1] int64, and `.full` [O, K] fp64
// where it was kept; sums over samples, see WeightFisher.

/// Appends those of one group.
void append_fisher(const std::string& group, const ActivationStats& stats, std::vector<StWrite>& tensors);

/// The linears a file has gradient statistics of, by group; judged by the header alone. kInput names a group
/// that is none of `channels` (its channels by name), and the first linear whose tensors are missing or do
/// not fit together.
std::map<std::string, std::vector<std::string>> fisher_linears(
    const SafetensorsFile& file, const std::map<std::string, int64_t>& channels);

/// Those of one linear, as views of the mapped file.
WeightFisher load_fisher(const SafetensorsFile& file, const std::string& group, const std::string& linear);

}  // namespace svdlab
