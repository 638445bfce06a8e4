#pragma once
#include <string>

#include "core/ir/stats.h"

namespace svdlab {

/// Statistics as one safetensors file: `<group>.absmax`, `.min`, `.max`, `.sum`, `.gram`, `.reservoir`,
/// `.keys`, and
/// `.tokens` [2] int64 (seen, capacity of the reservoir); metadata holds `fingerprint`, a hash of whatever
/// they were made from.
void save_stats(const std::string& path, const StatsMap& stats, const std::string& fingerprint);

struct StoredStats {
  StatsMap stats;
  std::string fingerprint;
};
/// kInput names the first group whose tensors are missing or do not fit together.
StoredStats load_stats(const std::string& path);

}  // namespace svdlab
