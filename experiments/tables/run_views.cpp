#include "experiments/tables/run_views.h"

#include <cmath>
#include <set>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/report/table_views.h"
#include "experiments/report/text.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

std::string interval_text(double value, double lo, double hi, int decimals) {
  if (std::isnan(value)) return "";
  std::string out = report::fixed(value, decimals);
  if (std::isfinite(lo) && std::isfinite(hi))
    out += " [" + report::fixed(lo, decimals) + ", " + report::fixed(hi, decimals) + "]";
  return out;
}

std::string number_text(double value, int decimals) {
  return std::isnan(value) ? "" : report::fixed(value, decimals);
}

report::ViewOptions view_options(const ResultFile& results) {
  return {.caption = caption_of(results), .better = {}};
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
            {text_column("cell"), text_column("scheme"), text_column("method"), text_column("bits/weight"),
             text_column("output SQNR dB"), text_column("PSNR dB [95 %]"), text_column("SSIM"),
             integer_column("n"), text_column("status")}};
  for (size_t i = 0; i < cells.rows(); ++i) {
    texts(out, "cell").push_back(texts(cells, "cell")[i]);
    texts(out, "scheme").push_back(texts(cells, "scheme")[i]);
    texts(out, "method").push_back(texts(cells, "method")[i]);
    texts(out, "bits/weight").push_back(number_text(numbers(cells, "bits_per_weight")[i], 3));
    texts(out, "output SQNR dB").push_back(number_text(numbers(cells, "output_sqnr_db")[i], 2));
    texts(out, "PSNR dB [95 %]")
        .push_back(interval_text(numbers(cells, "psnr_db")[i], numbers(cells, "psnr_lo_db")[i],
                                 numbers(cells, "psnr_hi_db")[i], 2));
    texts(out, "SSIM").push_back(number_text(numbers(cells, "ssim")[i], 4));
    integers(out, "n").push_back(integers(cells, "n")[i]);
    const std::string& message = texts(cells, "message")[i];
    texts(out, "status").push_back(texts(cells, "status")[i] + (message.empty() ? "" : ": " + message));
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
      "; n items, 95 % bootstrap interval over items. Calibration: ", text_at(config, "calibration", "pairs"),
      " (item, step) pairs, seed ", text_at(config, "calibration", "seed"),
      ". Layer errors on the 16-bit run's own inputs.");
  for (const std::string& dial : dials)
    if (!dial.empty())
      out += " Cells marked " + dial + ": outliers turned up in the model, function unchanged.";
  return out;
}

std::string summary_text(const ResultFile& results) {
  return report::to_terminal(main_table(results), view_options(results));
}

void write_views(const std::string& folder, const ResultFile& results) {
  const Table table = main_table(results);
  const report::ViewOptions options = view_options(results);
  make_directories(folder + "/tables");
  write_file(folder + "/tables/table.csv", report::to_csv(table));
  write_file(folder + "/tables/table.md", report::to_markdown(table, options));
  write_file(folder + "/tables/table.tex", report::to_latex(table, options));
}

}  // namespace svdlab
