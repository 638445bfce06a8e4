#include "experiments/tensorboard/export_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <sstream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/report/html.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/cell_file.h"
#include "experiments/study/event_log.h"
#include "experiments/study/table_rows.h"
#include "experiments/tensorboard/event_file.h"

namespace svdlab::tensorboard {
namespace {

namespace fs = std::filesystem;

constexpr int kGain = 4;

struct FinishedCell {
  std::string name, outliers;
  double time = 0;
};

struct History {
  double started = 0;
  std::vector<FinishedCell> cells;  ///< each once, with the time when it was finished last
};

std::string text_of(const Value& event, const std::string& key) {
  const Value* v = event.find(key);
  return v ? v->as_text(key) : "";
}

History history_of(const std::string& path) {
  SVDLAB_REQUIRE(fs::exists(path), Errc::kInput, path,
                 " does not exist; svdlab run writes it as the study goes on");
  History out;
  std::istringstream lines(read_file(path));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const Value event = parse_yaml(line, concat(path, ", event ", ++number));
    const double time = seconds_of_utc(text_of(event, "time"));
    if (number == 1) out.started = time;
    const std::string what = text_of(event, "event");
    if (what != "cell_finished" && what != "cell_reused") continue;
    const FinishedCell cell{text_of(event, "cell"), text_of(event, "outliers"), time};
    const auto known = std::find_if(out.cells.begin(), out.cells.end(),
                                    [&](const FinishedCell& c) { return c.name == cell.name; });
    // A kill between a cell's file and its event leaves the cell to be reused without having been finished.
    if (known == out.cells.end())
      out.cells.push_back(cell);
    else if (what == "cell_finished")
      *known = cell;
  }
  return out;
}

/// Writes one cell's tables into an event file.
class CellExport {
 public:
  CellExport(const FinishedCell& cell, double started) : cell_(cell), file_(started) {}

  void tables(const ResultFile& results) {
    row(results.table("/cells"));
    by_step(results.table("/trajectory"), "step", {"latent_rel_error", "latent_sqnr_db"});
    in_order(results.table("/layers"), {"output_sqnr_db", "weight_sqnr_db", "bits_per_weight"});
    in_order(results.table("/samples"), {"psnr_db", "ssim"});
    mean_by_step(results.table("/layer_steps"));
    const Table& rounds = results.table("/rounds");
    for (size_t i = 0; i < rounds.rows(); ++i)
      scalar("rounds/" + texts(rounds, "layer")[i], integers(rounds, "round")[i],
             numbers(rounds, "error")[i]);
  }

  void pictures(const std::string& run, const Table& samples, int64_t items) {
    const std::string reference =
        run + "/reference/16-bit" + (cell_.outliers.empty() ? "" : "+" + cell_.outliers) + "/";
    const std::string ours = run + "/samples/" + cell_slug(cell_.name, cell_.outliers) + "/";
    for (size_t i = 0; i < samples.rows() && static_cast<int64_t>(i) < items; ++i) {
      const std::string picture = texts(samples, "item")[i] + ".png";
      if (!fs::exists(reference + picture) || !fs::exists(ours + picture)) continue;
      const Image image = strip(read_png(reference + picture), read_png(ours + picture));
      file_.image(cell_.time, 0, "pictures/" + texts(samples, "item")[i],
                  {image.width, image.height, encode_png(image)});
      ++images_;
    }
  }

  void save(const std::string& folder) const { file_.save(folder); }
  int64_t scalars() const { return scalars_; }
  int64_t images() const { return images_; }

 private:
  void scalar(const std::string& tag, int64_t step, double v) {
    if (!std::isfinite(v)) return;
    file_.scalar(cell_.time, step, tag, v);
    ++scalars_;
  }

  void row(const Table& cells) {
    for (const Column& c : cells.columns) {
      if (const auto* values = std::get_if<std::vector<double>>(&c.values))
        scalar("cell/" + c.name, 0, values->at(0));
      if (const auto* values = std::get_if<std::vector<int64_t>>(&c.values))
        scalar("cell/" + c.name, 0, static_cast<double>(values->at(0)));
    }
  }

  void by_step(const Table& t, const std::string& step, const std::vector<std::string>& columns) {
    for (const std::string& c : columns)
      for (size_t i = 0; i < t.rows(); ++i)
        scalar(t.name.substr(1) + "/" + c, integers(t, step)[i], numbers(t, c)[i]);
  }

  void in_order(const Table& t, const std::vector<std::string>& columns) {
    for (const std::string& c : columns)
      for (size_t i = 0; i < t.rows(); ++i)
        scalar(t.name.substr(1) + "/" + c, static_cast<int64_t>(i), numbers(t, c)[i]);
  }

  void mean_by_step(const Table& t) {
    std::map<int64_t, std::pair<double, double>> sums;
    for (size_t i = 0; i < t.rows(); ++i) {
      auto& [sum, count] = sums[integers(t, "step")[i]];
      sum += numbers(t, "output_sqnr_db")[i], ++count;
    }
    for (const auto& [step, sum] : sums)
      scalar("layer_steps/mean_output_sqnr_db", step, sum.first / sum.second);
  }

  static Image strip(const Image& reference, const Image& ours) {
    const Image difference = report::absolute_difference(reference, ours, kGain);
    Image out{3 * ours.width, ours.height, {}};
    const int64_t row = 3 * int64_t{ours.width};
    for (int y = 0; y < ours.height; ++y)
      for (const Image* part : {&reference, &ours, &difference})
        out.rgb.insert(out.rgb.end(), part->rgb.begin() + y * row, part->rgb.begin() + (y + 1) * row);
    return out;
  }

  const FinishedCell& cell_;
  EventFile file_;
  int64_t scalars_ = 0, images_ = 0;
};

}  // namespace

Exported export_run(const std::string& run, const std::string& out, int64_t items) {
  const History history = history_of(run + "/events.jsonl");
  Exported done;
  for (const FinishedCell& cell : history.cells) {
    const std::string slug = cell_slug(cell.name, cell.outliers), stored = run + "/cells/" + slug + ".h5";
    if (!fs::exists(stored)) continue;  // removed, to be run again
    const ResultFile results = load_results(stored);
    if (texts(results.table("/cells"), "status").at(0) != "ok") continue;
    CellExport file(cell, history.started);
    file.tables(results);
    file.pictures(run, results.table("/samples"), items);
    file.save(out + "/" + slug);
    ++done.cells, done.scalars += file.scalars(), done.images += file.images();
  }
  SVDLAB_REQUIRE(done.cells > 0, Errc::kInput, run, ": no cell has been finished with results yet");
  return done;
}

}  // namespace svdlab::tensorboard
