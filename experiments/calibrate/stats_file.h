#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/io/safetensors.h"
#include "core/ir/stats.h"

namespace svdlab {

/// Statistics as one safetensors file: `<group>.absmax`, `.min`, `.max`, `.sum`, `.gram`, `.reservoir`,
/// `.keys`, and `.tokens` [2] int64 (seen, capacity of the reservoir), gradients where they were
/// collected (fisher_file.h), the same fields of `<group>@<i>` for range i of timesteps with `.upper` [1]
/// fp64 where ranges were; metadata hold `fingerprint`, a hash of whatever they were made from, and, where
/// that is more than the model, `model_sha256`.
void save_stats(const std::string& path, const StatsMap& stats, const std::string& fingerprint,
                const std::string& model_sha256 = "");

/// A file of statistics, mapped. Groups are read one by one.
class StatsFile {
 public:
  /// kInput names the first group whose tensors are missing or do not fit together.
  explicit StatsFile(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::string& fingerprint() const { return fingerprint_; }
  /// model_hash() of the model they belong to; "" when the file does not say.
  const std::string& model_sha256() const { return model_sha256_; }
  const std::map<std::string, int64_t>& channels() const { return channels_; }  ///< by group
  int64_t most_ranges() const;  ///< of timesteps that a group has statistics of their own for
  /// True: gradients of this linear of the group are in it, in that detail.
  bool has_gradients(const std::string& group, const std::string& linear, FisherDetail detail) const;
  /// The group's statistics, as views of the mapped file: read-only memory.
  ActivationStats load(const std::string& group) const;
  /// Gives the group's pages back to the system.
  void drop(const std::string& group) const;

 private:
  int64_t checked_channels(const std::string& group) const;
  ActivationStats load_sums(const std::string& group) const;

  SafetensorsFile file_;
  std::string fingerprint_, model_sha256_;
  std::map<std::string, int64_t> channels_;
  std::map<std::string, size_t> ranges_;                    // group -> ranges of timesteps
  std::map<std::string, std::vector<std::string>> fisher_;  // group -> linears with gradients
};

/// SHA-256 over a file's size and samples of its bytes, its header included: files of statistics can be as
/// large as 100 GB.
std::string sampled_sha256(const std::string& path);

struct StoredStats {
  StatsMap stats;
  std::string fingerprint;
};
/// All groups of a StatsFile.
StoredStats load_stats(const std::string& path);

}  // namespace svdlab
