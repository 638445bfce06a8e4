#pragma once
#include <string>
#include <vector>

#include "core/io/hdf5.h"
#include "experiments/train/replica.h"

namespace svdlab {

/// Everything a resumed run needs beside the config.
struct TrainState {
  int64_t step = 0;    ///< steps done
  double seconds = 0;  ///< spent in them
  std::vector<int64_t> log_step;
  std::vector<double> log_loss, log_rate, log_images_per_second;
};

Table loss_table(const TrainState& state);
/// Writes `folder`/state: weights, average, both moments (fp32) and the log.
void save_state(const std::string& folder, const TrainState& state, Replica& replica);
/// Fills the replica from `folder`/state and returns it; a fresh state when there is none.
TrainState load_state(const std::string& folder, Replica& replica);
/// Writes the averaged weights as a model folder, see train().
void save_model(const std::string& folder, const TrainConfig& config, const TrainState& state,
                Replica& replica);

}  // namespace svdlab
