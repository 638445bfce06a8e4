#pragma once
#include <memory>
#include <string>

#include "core/models/model.h"
#include "experiments/calibrate/stats_file.h"
#include "experiments/quantize/file_watch.h"
#include "lowrank/compression_jobs.h"

namespace svdlab {

/// The checkpoint and the statistics of one run, mapped.
struct QuantizeInputs {
  /// @param statistics  path, or "" for none.
  QuantizeInputs(const std::string& model_folder, const std::string& statistics);

  FileWatch watch;  ///< of every file that is read; begun before the first of them was
  Model model;
  std::unique_ptr<StatsFile> stats;  ///< null: none given

  /// The statistics of one job's groups, on `device`; kInput when a Gram matrix is none.
  StatsMap load_stats(const CompressionJob& job, at::Device device = at::kCPU) const;
  /// Gives the pages of a job's weights and statistics back to the system.
  void drop(const CompressionJob& job) const;
};

/// Refuses, before any work: a stage that needs statistics where there are none (kConfig); statistics of
/// another model by hash, by group names or by channels, and missing groups (kInput).
/// @param model_sha256  of the model; "": the hash is not compared.
void check_statistics(const QuantizeInputs& inputs, const std::vector<CompressionJob>& jobs,
                      const std::string& model_sha256);

}  // namespace svdlab
