#pragma once
#include <string>
#include <vector>

#include "experiments/study/cell_file.h"

namespace svdlab {

/// A table of an analysis for people: the few rows and columns that say most.
struct AnalysisView {
  std::string title, caption;
  Table table;
};

/// What `svdlab analyze` found, nothing for a study. Everything it is made from is in /layer_facts,
/// /sensitivity ... of results.h5.
std::vector<AnalysisView> analysis_views(const ResultFile& results);

/// Model, protocol and calibration of an analysis in one sentence.
std::string analysis_caption(const ResultFile& results);

/// Caption and views for a terminal; "" for a study.
std::string analysis_text(const ResultFile& results);

/// Every table of the analysis in full as tables/<name>.csv of the run directory `folder`.
void write_analysis_tables(const std::string& folder, const ResultFile& results);

// One of them each, from the tables that an analysis filled.
AnalysisView layers_by_role(const Table& facts, const Table& errors);
AnalysisView worst_layers(const Table& facts, const Table& errors);
AnalysisView sensitivity_view(const Table& sensitivity, const std::string& cell);
AnalysisView spectrum_view(const Table& spectrum_energy);
AnalysisView outlier_view(const Table& outlier_rank);
AnalysisView step_view(const Table& trajectory, const Table& layer_steps, const Table& ranges);
AnalysisView hidden_view(const Table& hidden_states);
AnalysisView drift_view(const Table& ranges);

/// The rows of /sensitivity with a cell and a mode, in their order.
std::vector<size_t> sensitivity_rows(const Table& sensitivity, const std::string& cell,
                                     const std::string& mode);

}  // namespace svdlab
