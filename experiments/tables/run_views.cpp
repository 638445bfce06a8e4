#include "experiments/tables/run_views.h"

#include <cmath>
#include <set>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/report/table_views.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/backend_view.h"
#include "experiments/tables/item_values.h"
#include "experiments/tables/ranking.h"
#include "experiments/tables/report_page.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

constexpr const char* kReferenceStatus = "reference";
constexpr const char* kAnalyzedStatus = "analyzed";  // not sampled: no numbers of a study's table

report::ViewOptions view_options(const ResultFile& results) {
  return {.caption = caption_of(results),
          .better = {{"output SQNR", report::Better::kHigher},
                     {"PSNR", report::Better::kHigher},
                     {"SSIM", report::Better::kHigher}}};
}

std::string text_at(const Value& config, const std::string& group, const std::string& key) {
  const Value* map = group.empty() ? &config : config.find(group);
  const Value* v = map ? map->find(key) : nullptr;
  return v ? v->scalar : "";
}

}  // namespace

Table main_table(const ResultFile& results) {
  const Table& cells = results.table("/cells");
  Table out{"/table",
            {text_column("cell"), text_column("scheme"), text_column("method"), number_column("bits/weight"),
             number_column("output SQNR", "dB"), number_column("PSNR", "dB"), text_column("95 %"),
             number_column("SSIM"), integer_column("n"), text_column("status")}};
  for (size_t i = 0; i < cells.rows(); ++i) {
    if (texts(cells, "status")[i] == kReferenceStatus || texts(cells, "status")[i] == kAnalyzedStatus)
      continue;
    for (const char* name : {"cell", "scheme", "method"}) texts(out, name).push_back(texts(cells, name)[i]);
    numbers(out, "bits/weight").push_back(numbers(cells, "bits_per_weight")[i]);
    numbers(out, "output SQNR").push_back(numbers(cells, "output_sqnr_db")[i]);
    numbers(out, "PSNR").push_back(numbers(cells, "psnr_db")[i]);
    texts(out, "95 %")
        .push_back(interval_text(numbers(cells, "psnr_lo_db")[i], numbers(cells, "psnr_hi_db")[i], 2));
    numbers(out, "SSIM").push_back(numbers(cells, "ssim")[i]);
    integers(out, "n").push_back(integers(cells, "n")[i]);
    texts(out, "status").push_back(texts(cells, "status")[i]);
  }
  return out;
}

Table gain_table(const ResultFile& results) {
  const Table& cells = results.table("/cells");
  Table out{"/gains",
            {text_column("cell"), text_column("against"), number_column("PSNR gain", "dB"),
             text_column("95 %"), integer_column("n")}};
  std::map<std::pair<std::string, std::string>, std::string> baselines;
  for (size_t i = 0; i < cells.rows(); ++i) {
    if (texts(cells, "status")[i] != "ok") continue;
    const std::string& cell = texts(cells, "cell")[i];
    const auto [baseline, is_first] =
        baselines.emplace(std::pair(texts(cells, "scheme")[i], texts(cells, "outliers")[i]), cell);
    if (is_first) continue;
    const Table& samples = results.table("/samples");
    const Interval gain =
        paired_difference(psnr_by_item(samples, cell), psnr_by_item(samples, baseline->second));
    texts(out, "cell").push_back(cell);
    texts(out, "against").push_back(baseline->second);
    numbers(out, "PSNR gain").push_back(gain.value);
    texts(out, "95 %").push_back(interval_text(gain.lo, gain.hi, 2));
    integers(out, "n").push_back(gain.n);
  }
  return out;
}

std::string caption_of(const ResultFile& results) {
  const Value config = parse_yaml(results.config_yaml, "config");
  const Table& cells = results.table("/cells");
  const std::set<std::string> dials(texts(cells, "outliers").begin(), texts(cells, "outliers").end());
  const std::string guidance = text_at(config, "", "guidance");
  std::string out = concat(
      "Study ", text_at(config, "", "study"),
      ": pictures of each quantized model against those of the 16-bit run of ", text_at(config, "", "model"),
      " (SHA-256 ", results.model_sha256.substr(0, 12), "), same noise and conditioning, ",
      text_at(config, "protocol", "steps"), " Euler steps, guidance ",
      guidance.empty() || guidance == "null" ? "as the model's sampling.yaml says" : guidance, ", seed ",
      text_at(config, "", "seed"),
      "; n items, 95 % bootstrap interval of the mean PSNR over items. Calibration: ",
      text_at(config, "calibration", "pairs"), " (item, step) pairs, seed ",
      text_at(config, "calibration", "seed"),
      ". Output SQNR: mean over the quantized layers, each on the 16-bit run's own inputs.");
  for (const std::string& dial : dials)
    if (!dial.empty())
      out += " Cells marked " + dial + ": outlier channels of the model turned up, its function unchanged.";
  return out;
}

std::vector<std::string> reasons(const ResultFile& results) {
  const Table& cells = results.table("/cells");
  std::vector<std::string> out;
  for (size_t i = 0; i < cells.rows(); ++i)
    if (const std::string& message = texts(cells, "message")[i]; !message.empty())
      out.push_back(texts(cells, "cell")[i] + " " + texts(cells, "status")[i] + ": " + message);
  return out;
}

std::string summary_text(const ResultFile& results) {
  const Table table = main_table(results);
  std::string out = table.rows() > 0 ? report::to_terminal(table, view_options(results)) : "";
  for (const std::string& reason : reasons(results)) out += reason + "\n";
  if (const Table backends = backend_table(results); backends.rows() > 0)
    out += "\n" + report::to_terminal(backends, {.caption = backend_caption()});
  return out + analysis_text(results);
}

void write_views(const std::string& folder, const ResultFile& results) {
  const Table table = main_table(results);
  const report::ViewOptions options = view_options(results);
  make_directories(folder + "/tables");
  write_file(folder + "/tables/table.csv", report::to_csv(table));
  std::string markdown = report::to_markdown(table, options);
  for (const std::string& reason : reasons(results)) markdown += "\n" + reason + "\n";
  write_file(folder + "/tables/table.md", markdown);
  write_file(folder + "/tables/table.tex", report::to_latex(table, options));
  write_file(folder + "/tables/gains.csv", report::to_csv(gain_table(results)));
  const Table ranking = ranking_table(results);
  write_file(folder + "/tables/ranking.csv", report::to_csv(ranking));
  write_file(folder + "/tables/ranking.md", report::to_markdown(ranking, {.caption = ranking_caption()}));
  if (const Table backends = backend_table(results); backends.rows() > 0) {
    write_file(folder + "/tables/backends.csv", report::to_csv(backends));
    write_file(folder + "/tables/backends.md", report::to_markdown(backends, {.caption = backend_caption()}));
    write_file(folder + "/tables/paths.csv", report::to_csv(path_table(results)));
  }
  write_analysis_tables(folder, results);
  write_file(folder + "/report.html", report_page(folder, results));
}

}  // namespace svdlab
