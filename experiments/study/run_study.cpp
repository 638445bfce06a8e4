#include "experiments/study/run_study.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <mutex>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "core/runtime/single_thread.h"
#include "experiments/study/cached_stats.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/event_log.h"
#include "experiments/study/image_grid.h"
#include "experiments/study/interrupt.h"
#include "experiments/study/progress.h"
#include "experiments/study/provenance.h"
#include "experiments/study/run_dir.h"
#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"
#include "lowrank/compress_model.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

std::vector<OutlierDial> dials_of(const StudyConfig& study) {
  std::vector<OutlierDial> out;
  for (const Cell& cell : study.cells) {
    const OutlierDial dial = cell.outliers.on() ? cell.outliers : OutlierDial();
    if (std::find(out.begin(), out.end(), dial) == out.end()) out.push_back(dial);
  }
  return out;
}

/// The first cell that smooths and has a low-rank branch shows its spectra.
std::string spectra_cell(const StudyConfig& study) {
  for (const Cell& cell : study.cells)
    for (const CellRule& r : cell.rules)
      if (r.subject && r.rule.recipe.rank > 0 && r.rule.recipe.transform != "none") return cell.slug;
  return "";
}

/// Refuses a plan that does not fit the model before anything is written.
void check_plans(const StudyConfig& study) {
  const Model model = load_model(study.model);
  for (const Cell& cell : study.cells) assign_rules(model.graph, plan_for(model.graph, cell));
}

class Runner {
 public:
  Runner(const StudyConfig& study, const RunOptions& options, const CellWork& work,
         const std::string& model_sha256, const RunDir& dir)
      : study_(study), options_(options), work_(work), dir_(dir), events_(dir.file("events.jsonl")) {
    out_.folder = dir.path();
    out_.results.config_sha256 = study_hash(study, model_sha256);
    out_.results.model_sha256 = model_sha256;
    out_.results.provenance_json = build_provenance().canonical_json();
  }

  StudyRun run() {
    const InterruptWatch watch([this] { last_status("interrupted"); });
    write_provenance();
    status("running", "");
    event("run_started", {{"config_sha256", Value::text(out_.results.config_sha256)},
                          {"model_sha256", Value::text(out_.results.model_sha256)},
                          {"cells", Value::integer(static_cast<int64_t>(study_.cells.size()))},
                          {"threads", Value::integer(options_.schedule.threads)}});
    try {
      for (const OutlierDial& dial : dials_of(study_)) run_cells_with(dial);
      collect();
    } catch (const std::exception& e) {
      stopped(e.what());
      throw;
    }
    const std::string state = out_.failed > 0 ? "failed" : "done";
    status(state, "");
    event("run_finished", {{"state", Value::text(state)},
                           {"failed", Value::integer(out_.failed)},
                           {"skipped", Value::integer(out_.skipped)},
                           {"reused", Value::integer(out_.reused)}});
    return std::move(out_);
  }

 private:
  void run_cells_with(const OutlierDial& dial) {
    std::vector<const Cell*> open;
    for (const Cell& cell : study_.cells) {
      if (!(cell.outliers == dial || (!cell.outliers.on() && !dial.on()))) continue;
      if (fs::exists(dir_.cell_file(cell.slug))) {
        ++done_, ++out_.reused;
        log_line(concat("cell ", cell.name, ": reused"));
        event("cell_reused",
              {{"cell", Value::text(cell.name)}, {"outliers", Value::text(cell.outliers.tag())}});
      } else {
        open.push_back(&cell);
      }
    }
    const std::string slug = reference_name(dial);
    const bool reference_done = fs::exists(dir_.cell_file(slug));
    if (open.empty() && reference_done) return;
    Reference reference(study_, dial, dir_.file("reference/" + slug));
    const Progress clock("");
    const StatsMap stats = cached_stats(study_, dial, reference, out_.results.model_sha256,
                                        options_.runs + "/cache", options_.schedule.threads);
    event("calibrated", {{"reference", Value::text(slug)},
                         {"groups", Value::integer(static_cast<int64_t>(stats.size()))},
                         {"seconds", Value::number(clock.seconds())}});
    for (const Cell* cell : open) run_one(*cell, reference, stats);
    if (work_.trajectories) reference.ensure(study_.protocol.items, options_.schedule);
    finish_reference(dial, reference, stats);
  }

  void run_one(const Cell& cell, Reference& reference, const StatsMap& stats) {
    status("running", cell.name);
    log_line(concat("cell ", cell.name, " (", done_ + 1, " of ", study_.cells.size(), ")"));
    event("cell_started", {{"cell", Value::text(cell.name)}, {"number", Value::integer(done_ + 1)}});
    const Progress clock("");
    ResultFile file{.tables = tables_of(cell, reference, stats),
                    .config_sha256 = out_.results.config_sha256,
                    .model_sha256 = out_.results.model_sha256,
                    .provenance_json = out_.results.provenance_json};
    save_results(dir_.cell_file(cell.slug), file);
    ++done_;
    const Table& row = file.table("/cells");
    Value numbers = row_fields(row, 0);
    numbers.at_or_add("seconds") = Value::number(clock.seconds());
    event("cell_finished", std::move(numbers.members));
    log_line(concat("cell ", cell.name, ": ", texts(row, "status")[0],
                    texts(row, "message")[0].empty() ? "" : " (" + texts(row, "message")[0] + ")", ", ",
                    std::lround(clock.seconds() * 10) / 10.0, " s"));
  }

  std::vector<Table> tables_of(const Cell& cell, Reference& reference, const StatsMap& stats) {
    try {
      CellContext c = context(reference, stats);
      c.items = items_for(cell);
      c.samples = dir_.file("samples/" + cell.slug);
      c.spectra = cell.slug == spectra_cell(study_);
      return work_.cell(cell, c);
    } catch (const Error& e) {
      if (e.code() == Errc::kResource) throw;  // the disk is full for the other cells, too
      return cell_without_results(cell, e.code() == Errc::kConfig ? "skipped" : "failed", e.what());
    } catch (const std::exception& e) {
      const std::string message = e.what();
      return cell_without_results(cell, "failed", message.substr(0, message.find('\n')));
    }
  }

  CellContext context(Reference& reference, const StatsMap& stats) const {
    return {.study = study_,
            .reference = reference,
            .stats = stats,
            .schedule = options_.schedule,
            .items = study_.protocol.items};
  }

  /// Comparisons are paired, so all cells have the items of the first one: it alone adds some until its
  /// interval is narrow (0: it is this cell). Without a first result the protocol's number stands.
  int64_t items_for(const Cell& cell) const {
    const Cell& first = study_.cells.front();
    if (study_.protocol.until_half_width_db == 0) return study_.protocol.items;
    if (cell.slug == first.slug) return 0;
    if (!fs::exists(dir_.cell_file(first.slug))) return study_.protocol.items;
    return std::max(study_.protocol.items,
                    integers(stored_cell(dir_.cell_file(first.slug)).table("/cells"), "n")[0]);
  }

  void finish_reference(const OutlierDial& dial, Reference& reference, const StatsMap& stats) {
    if (work_.trajectories && reference.makes_pictures()) {
      std::vector<Image> images;
      for (int64_t i = 0; i < study_.protocol.items; ++i) images.push_back(reference.image(i));
      write_png(reference.folder() + "/grid.png", image_grid(images));
    }
    save_results(dir_.cell_file(reference_name(dial)),
                 {.tables = work_.reference(dial, context(reference, stats)),
                  .config_sha256 = out_.results.config_sha256,
                  .model_sha256 = out_.results.model_sha256,
                  .provenance_json = out_.results.provenance_json});
  }

  void collect() {
    std::vector<std::string> slugs;
    for (const OutlierDial& dial : dials_of(study_)) slugs.push_back(reference_name(dial));
    for (const Cell& cell : study_.cells) slugs.push_back(cell.slug);
    out_.results.tables = work_.tables;
    for (const std::string& slug : slugs) {
      const ResultFile cell = stored_cell(dir_.cell_file(slug));
      SVDLAB_REQUIRE(cell.config_sha256 == out_.results.config_sha256, Errc::kInput, dir_.cell_file(slug),
                     ": belongs to another configuration; remove it");
      for (Table& table : out_.results.tables)
        if (const Table* rows = find_table(cell.tables, table.name)) append_rows(table, *rows);
    }
    for (const std::string& status : texts(out_.results.table("/cells"), "status")) {
      out_.failed += status == "failed";
      out_.skipped += status == "skipped";
    }
    out_.results.config_yaml = to_yaml(study_.resolved);
    save_results(dir_.file("results.h5"), out_.results);
  }

  static ResultFile stored_cell(const std::string& path) {
    try {
      return load_results(path);
    } catch (const Error& e) {
      throw Error(e.code(), concat(e.what(), "; remove the file to have its cell run again"));
    }
  }

  void write_provenance() const {
    Value v = run_provenance(options_.command_line);
    v.at_or_add("config_sha256") = Value::text(out_.results.config_sha256);
    v.at_or_add("model_sha256") = Value::text(out_.results.model_sha256);
    v.at_or_add("threads") = Value::integer(options_.schedule.threads);
    v.at_or_add("batch") = Value::integer(options_.schedule.batch);
    write_file(dir_.file("provenance.json"), v.canonical_json() + "\n");
  }

  void status(const std::string& state, const std::string& cell) {
    const std::lock_guard lock(status_mutex_);
    if (ended_) return;
    dir_.write_status(state, done_, static_cast<int64_t>(study_.cells.size()), cell);
  }

  void event(const std::string& name, std::vector<Value::Member> fields) {
    const std::lock_guard lock(status_mutex_);
    if (ended_) return;
    Value v = Value::map();
    v.members = std::move(fields);
    events_.write(name, std::move(v));
  }

  /// The error on its way to the user is the one that counts, should these words fail as well.
  void stopped(const std::string& message) {
    try {
      status("stopped", "");
      event("run_stopped", {{"message", Value::text(message)}});
    } catch (const Error&) {
    }
  }

  /// From the watching thread: what the study's own thread still says until the process ends is not written.
  void last_status(const std::string& state) {
    const std::lock_guard lock(status_mutex_);
    ended_ = true;
    dir_.write_status(state, done_, static_cast<int64_t>(study_.cells.size()), "");
    events_.write("run_" + state);
  }

  const StudyConfig& study_;
  const RunOptions& options_;
  const CellWork& work_;
  const RunDir& dir_;
  const EventLog events_;
  StudyRun out_;
  std::atomic<int64_t> done_{0};
  std::mutex status_mutex_;
  bool ended_ = false;
};

}  // namespace

CellWork study_work() {
  return {.tables = result_tables(),
          .cell = run_cell,
          .reference = [](const OutlierDial& dial, const CellContext& c) {
            return reference_tables(dial, c.reference, c.stats, c.items);
          }};
}

StudyRun run_study(const StudyConfig& study, const RunOptions& options, const CellWork& work) {
  const SingleThreadScope whole_study;
  check_plans(study);
  const std::string model_sha256 = model_hash(study.model);
  const RunDir dir(options.runs, study, study_hash(study, model_sha256));
  log_line("run directory: " + dir.path());
  return Runner(study, options, work, model_sha256, dir).run();
}

std::vector<std::string> describe_study(const StudyConfig& study, const RunOptions& options) {
  check_plans(study);
  const std::string path = run_path(options.runs, study, study_hash(study, model_hash(study.model)));
  std::vector<std::string> out = {"run directory: " + path};
  for (const Cell& cell : study.cells)
    out.push_back(concat(fs::exists(path + "/cells/" + cell.slug + ".h5") ? "reuse " : "run   ", cell.name));
  return out;
}

}  // namespace svdlab
