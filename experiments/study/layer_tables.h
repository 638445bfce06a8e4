#pragma once
#include <string>
#include <vector>

#include "core/io/hdf5.h"
#include "core/ir/stats.h"
#include "experiments/study/layer_metrics.h"
#include "lowrank/compress_model.h"

namespace svdlab {

/// Fills /layers, /layer_steps, /rounds and /search of `tables`; returns the mean output SQNR over the layers
/// (NaN for none).
double fill_layer_tables(const std::string& cell, const Graph& graph, const Compression& compression,
                         const std::vector<LayerError>& errors, std::vector<Table>& tables);

/// The largest 64 singular values of the weight before and after the columns are multiplied by the smoothing
/// vector, for the first smoothed linear of each role.
void fill_spectra(const std::string& cell, const Graph& graph, const CompressedModel& model, Table& spectra);

/// Largest over median channel magnitude of each group's input in calibration.
void fill_outliers(const std::string& cell, const Graph& graph, const StatsMap& stats, Table& outliers);

}  // namespace svdlab
