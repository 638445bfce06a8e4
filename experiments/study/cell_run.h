#pragma once
#include <string>

#include "experiments/study/cell_file.h"
#include "experiments/study/reference.h"

namespace svdlab {

/// Items whose 16-bit trajectories are replayed for the layer tables.
inline constexpr int64_t kReplayedItems = 4;

struct CellContext {
  const StudyConfig& study;
  Reference& reference;
  const StatsMap& stats;
  Schedule schedule;
  int64_t items = 0;     ///< > 0: exactly so many, whatever the interval
  std::string samples;   ///< folder for the cell's pictures
  bool spectra = false;  ///< fill in /spectra
};

/// Quantizes the model by the cell's plan, samples the protocol's items with the 16-bit run's noise, and
/// measures: rows for every table. Throws what the stages throw; kConfig means that the combination makes no
/// sense.
std::vector<Table> run_cell(const Cell& cell, const CellContext& context);

/// The tables of a cell that did not get results: one row in /cells.
std::vector<Table> cell_without_results(const Cell& cell, const std::string& status,
                                        const std::string& message);

/// The tables of the 16-bit run itself: its row in /cells, its first `items` pictures in /samples, its inputs
/// in /outliers.
std::vector<Table> reference_tables(const OutlierDial& dial, const Reference& reference,
                                    const StatsMap& stats, int64_t items);

}  // namespace svdlab
