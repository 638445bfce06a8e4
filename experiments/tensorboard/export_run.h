#pragma once
#include <cstdint>
#include <string>

namespace svdlab::tensorboard {

struct Exported {
  int64_t cells = 0, scalars = 0, images = 0;
};

/// The finished cells of the run directory `run` as TensorBoard runs, a folder each below `out`: the row of
/// /cells (step 0), /trajectory and the mean of /layer_steps by sampling step, /layers by layer, /samples by
/// item, /rounds by round, and for the first `items` the 16-bit picture, the cell's and their difference side
/// by side. Times are those of events.jsonl; NaN and infinities are left out. Works while the run goes on.
/// kInput when there is no events.jsonl or no finished cell.
Exported export_run(const std::string& run, const std::string& out, int64_t items);

}  // namespace svdlab::tensorboard
