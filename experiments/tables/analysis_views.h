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

/// The rows of `of_mode` in /sensitivity of one cell, in their order.
std::vector<size_t> sensitivity_rows(const Table& sensitivity, const std::string& cell,
                                     const std::string& of_mode);

/// Mean of a numeric column over rows; NaN for none.
double mean_over(const Table& table, const std::string& column, const std::vector<size_t>& rows);

}  // namespace svdlab
