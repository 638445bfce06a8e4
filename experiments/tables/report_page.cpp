#include "experiments/tables/report_page.h"

#include <algorithm>

#include "core/io/yaml.h"
#include "experiments/report/html.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/backend_view.h"
#include "experiments/tables/ranking.h"
#include "experiments/tables/report_analysis.h"
#include "experiments/tables/report_charts.h"
#include "experiments/tables/run_views.h"

namespace svdlab {
namespace {

struct Meaning {
  const char *name, *text;
};
// One sentence for every number of the main table.
constexpr Meaning kMeanings[] = {
    {"bits/weight",
     "stored bits of the quantized layers (codes, scales, low-rank factors, smoothing vectors) over their "
     "number of weights"},
    {"output SQNR",
     "20 log10(||y|| / ||y - y_q||) of each quantized layer on the 16-bit run's inputs, outputs rounded to "
     "bf16; mean over the layers; from the first 4 items, all steps"},
    {"PSNR",
     "10 log10(255^2 / mean squared difference) of each 8-bit picture to the 16-bit run's; mean over items"},
    {"95 %", "percentile bootstrap interval of that mean, 2000 resamples of the items"},
    {"SSIM",
     "structural similarity to the 16-bit run's picture, Gaussian window of 11 x 11, mean over items"},
    {"n",
     "items; the same for every cell unless the protocol adds items until the interval is narrow enough"},
    {"status", "ok, skipped (the combination makes no sense) or failed, with the reason"}};

void add_summary(report::HtmlPage& page, const ResultFile& results) {
  page.section("Results");
  add_tiles(page, results);
  page.paragraph(caption_of(results));
  Table table = main_table(results);
  // A cell's name says both, and the page has room for one.
  table.columns.erase(
      std::remove_if(table.columns.begin(), table.columns.end(),
                     [](const Column& c) { return c.name == "scheme" || c.name == "method"; }),
      table.columns.end());
  page.table(table, {.caption = "",
                     .better = {{"output SQNR", report::Better::kHigher},
                                {"PSNR", report::Better::kHigher},
                                {"SSIM", report::Better::kHigher}}});
  for (const std::string& reason : reasons(results)) page.verdict(report::Verdict::kNote, reason);
  std::vector<std::pair<std::string, std::string>> meanings;
  for (const Meaning& m : kMeanings) meanings.emplace_back(m.name, m.text);
  page.terms(meanings);
}

void add_gains(report::HtmlPage& page, const ResultFile& results) {
  const Table gains = gain_table(results);
  if (gains.rows() == 0) return;
  page.section("Gains, item by item");
  page.paragraph(
      "Items differ more from each other than methods do, so methods are compared on the same items: the "
      "mean of the "
      "difference in PSNR to the first cell of the same scheme, with a paired bootstrap interval. An "
      "interval that holds 0 "
      "shows no difference. From /samples.");
  page.table(gains);
}

void add_ranking(report::HtmlPage& page, const ResultFile& results) {
  const Table ranking = ranking_table(results);
  if (ranking.rows() < 2) return;
  page.section("Ranking");
  page.paragraph(ranking_caption());
  page.table(ranking, {.caption = "", .better = {{"at equal bits", report::Better::kHigher}}});
}

void add_backends(report::HtmlPage& page, const ResultFile& results) {
  const Table backends = backend_table(results);
  if (backends.rows() == 0) return;
  page.section("Backends");
  page.paragraph(backend_caption());
  page.table(backends);
  page.paragraph(
      "Which path serves the nodes of the graph: fused kernels, libtorch in 16 bit, or the reference path of "
      "a compressed linear; and why. Every node has a row of its own in /paths.");
  page.table(path_table(results));
}

void add_times(report::HtmlPage& page, const ResultFile& results) {
  const Table& cells = results.table("/cells");
  Table shown{"times", {}};
  for (const char* name : {"cell", "seconds_quantize", "seconds_layers", "seconds_sample"})
    shown.columns.push_back(cells.column(name));
  page.section("Time");
  page.paragraph(
      "Wall-clock seconds of each cell's parts on the computer below: they are not part of what repeats.");
  page.table(shown);
}

void add_provenance(report::HtmlPage& page, const ResultFile& results) {
  page.section("Provenance");
  std::vector<std::pair<std::string, std::string>> facts = {{"configuration SHA-256", results.config_sha256},
                                                            {"model SHA-256", results.model_sha256}};
  for (const Value::Member& m : parse_yaml(results.provenance_json, "provenance").members)
    facts.emplace_back(m.first,
                       m.second.kind == Value::Kind::kScalar ? m.second.scalar : m.second.canonical_json());
  page.facts(facts);
  page.code("Configuration with all defaults", results.config_yaml);
}

}  // namespace

std::string report_page(const std::string& folder, const ResultFile& results) {
  const Value config = parse_yaml(results.config_yaml, "config");
  const Value *study = config.find("study"), *description = config.find("description");
  report::HtmlPage page(study ? study->scalar : "study", description ? description->scalar : "");
  const bool measured = main_table(results).rows() > 0;
  if (measured) add_summary(page, results);
  add_analyses(page, results);
  add_pareto_charts(page, results);
  add_gains(page, results);
  add_ranking(page, results);
  add_backends(page, results);
  add_pictures(page, folder, results);
  add_layer_step_map(page, results);
  add_block_charts(page, results);
  add_step_charts(page, results);
  add_rank_chart(page, results);
  add_search_map(page, results);
  add_spectrum_charts(page, results);
  add_outlier_chart(page, results);
  if (measured) add_times(page, results);
  add_provenance(page, results);
  return page.finish();
}

}  // namespace svdlab
