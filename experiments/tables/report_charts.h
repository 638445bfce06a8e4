#pragma once
#include "experiments/report/html.h"
#include "experiments/study/cell_file.h"

namespace svdlab {

// Each adds a section with its charts to the page, or nothing when the run has no such numbers. Charts with
// one line or bar a cell are split by scheme, so that at most a handful share one.

/// What a reader wants to know first, in large figures. In report_tiles.cpp.
void add_tiles(report::HtmlPage& page, const ResultFile& results);
void add_block_charts(report::HtmlPage& page, const ResultFile& results);
void add_step_charts(report::HtmlPage& page, const ResultFile& results);
void add_spectrum_charts(report::HtmlPage& page, const ResultFile& results);
void add_rank_chart(report::HtmlPage& page, const ResultFile& results);
void add_outlier_chart(report::HtmlPage& page, const ResultFile& results);

/// Bits per weight and megabytes against PSNR, with the front. In report_pareto.cpp.
void add_pareto_charts(report::HtmlPage& page, const ResultFile& results);
/// Output SQNR of every layer at every step, a cell at a time. In report_maps.cpp.
void add_layer_step_map(report::HtmlPage& page, const ResultFile& results);
/// Error over (alpha, beta) of every smoothing search, where the results have a table /search. In
/// report_maps.cpp.
void add_search_map(report::HtmlPage& page, const ResultFile& results);

/// Pictures of the first items: the 16-bit run's, each cell's, and their differences. In report_images.cpp.
void add_pictures(report::HtmlPage& page, const std::string& folder, const ResultFile& results);

/// A title and rows of /cells whose status is ok.
using CellSets = std::vector<std::pair<std::string, std::vector<size_t>>>;
/// By scheme and outliers.
CellSets cells_by_scheme(const Table& cells);
/// The same, with neighbouring schemes of few cells put together where they share the outliers.
CellSets cells_by_chart(const Table& cells);

}  // namespace svdlab
