#include "experiments/study/run_study.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/study/event_log.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/run_views.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"
#include "tests/support/tables.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

class RunStudy : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_random_model(model()); }

  std::string model() const { return dir_.file("model"); }

  StudyConfig study(const std::string& more) const {
    return parse_study(parse_yaml("{study: s, model: " + model() +
                                      ", calibration: {pairs: 4, pairs_per_item: 2, tokens: 256}, " + more +
                                      "}",
                                  "study.yaml"));
  }
  StudyConfig small_study() const {
    return study("protocol: {items: 5, steps: 2}, schemes: [int4, nvfp4], methods: [rtn, svdquant]");
  }
  StudyRun run(const StudyConfig& s, const std::string& runs = "runs",
               Schedule schedule = {.threads = 2}) const {
    return run_study(s, {.runs = dir_.file(runs), .schedule = schedule, .command_line = {"test"}});
  }

  testing::TempDir dir_;
};

TEST_F(RunStudy, MeasuresEveryCellAgainstThe16BitRun) {
  const StudyRun done = run(small_study());
  const Table& cells = done.results.table("/cells");
  ASSERT_EQ(cells.rows(), 5u);
  EXPECT_EQ(texts(cells, "cell")[0], "16-bit");
  for (size_t i = 1; i < cells.rows(); ++i) {
    EXPECT_EQ(texts(cells, "status")[i], "ok");
    EXPECT_EQ(integers(cells, "n")[i], 5);
    EXPECT_GT(numbers(cells, "psnr_db")[i], 20);
    EXPECT_LE(numbers(cells, "psnr_lo_db")[i], numbers(cells, "psnr_db")[i]);
    EXPECT_GE(numbers(cells, "psnr_hi_db")[i], numbers(cells, "psnr_db")[i]);
    EXPECT_LE(numbers(cells, "psnr_pooled_db")[i], numbers(cells, "psnr_db")[i]);
    EXPECT_GT(numbers(cells, "output_sqnr_db")[i], 10);
    EXPECT_LT(numbers(cells, "trajectory_rel_error")[i], 0.5);
  }
  // int4: 4 bits and a bf16 scale for each 64 weights.
  EXPECT_DOUBLE_EQ(numbers(cells, "bits_per_weight")[1], 4.25);
  EXPECT_GT(numbers(cells, "output_sqnr_db")[2], numbers(cells, "output_sqnr_db")[1]);
  for (const char* table :
       {"/layers", "/layer_steps", "/trajectory", "/samples", "/outliers", "/spectra", "/rounds", "/search"})
    EXPECT_GT(done.results.table(table).rows(), 0u) << table;
  EXPECT_EQ(done.results.table("/samples").rows(), 25u);
}

TEST_F(RunStudy, MethodsByTimestepNeedRangesAndCountEveryVariant) {
  const std::string cells = "protocol: {items: 2, steps: 2}, schemes: [w8a8], methods: [smooth, vidit-q]";
  const Table without = run(study(cells)).results.table("/cells");
  EXPECT_EQ(texts(without, "status").at(2), "skipped");
  EXPECT_NE(texts(without, "message")[2].find("time_ranges"), std::string::npos)
      << texts(without, "message")[2];
  StudyConfig with = study(cells);
  with.calibration.time_ranges = 2;
  const Table ranges = run(with, "ranges").results.table("/cells");
  ASSERT_EQ(texts(ranges, "status").at(2), "ok") << texts(ranges, "message")[2];
  EXPECT_EQ(numbers(ranges, "output_sqnr_db")[1], numbers(without, "output_sqnr_db")[1]);
  EXPECT_GT(numbers(ranges, "bits_per_weight")[2], 1.8 * numbers(ranges, "bits_per_weight")[1]);
  EXPECT_GT(numbers(ranges, "output_sqnr_db")[2], 10);
  EXPECT_GT(numbers(ranges, "psnr_db")[2], 20);
}

TEST_F(RunStudy, StoresWhatItReturnsAndThePicturesItNames) {
  const StudyRun done = run(small_study());
  testing::expect_same_tables(load_results(done.folder + "/results.h5").tables, done.results.tables, true);
  const Table& samples = done.results.table("/samples");
  for (size_t i = 0; i < samples.rows(); ++i) {
    const std::string& cell = texts(samples, "cell")[i];
    std::string folder = cell == "16-bit" ? "reference/16-bit" : "samples/" + cell;
    std::replace(folder.begin() + folder.find('/') + 1, folder.end(), '/', '-');
    EXPECT_EQ(sha256_file(done.folder + "/" + folder + "/" + texts(samples, "item")[i] + ".png"),
              texts(samples, "png_sha256")[i]);
  }
  for (const char* file :
       {"config.resolved.yaml", "provenance.json", "status.json", "samples/int4-rtn/grid.png"})
    EXPECT_TRUE(fs::exists(done.folder + "/" + file)) << file;
  EXPECT_EQ(load_yaml(done.folder + "/status.json").find("state")->scalar, "done");
}

TEST_F(RunStudy, ResultsDoNotDependOnThreadsOrBatch) {
  const StudyConfig s = small_study();
  const StudyRun one = run(s, "one", {.threads = 1});
  const StudyRun two = run(s, "two", {.threads = 2, .batch = 1});
  const StudyRun many = run(s, "many", {.threads = 3, .batch = 2});
  testing::expect_same_tables(one.results.tables, two.results.tables, false);
  testing::expect_same_tables(one.results.tables, many.results.tables, false);
}

TEST_F(RunStudy, FinishedCellsAreNotRunAgain) {
  const StudyConfig s = small_study();
  const StudyRun first = run(s);
  EXPECT_EQ(first.reused, 0);
  const auto stamp = fs::last_write_time(first.folder + "/cells/int4-rtn.h5");
  fs::remove(first.folder + "/cells/nvfp4-svdquant.h5");
  const StudyRun second = run(s);
  EXPECT_EQ(second.reused, 3);
  EXPECT_EQ(fs::last_write_time(first.folder + "/cells/int4-rtn.h5"), stamp);
  testing::expect_same_tables(first.results.tables, second.results.tables, false);
}

TEST_F(RunStudy, EventsTellTheHistoryOfBothRuns) {
  const StudyConfig s = small_study();
  const StudyRun first = run(s);
  fs::remove(first.folder + "/cells/nvfp4-svdquant.h5");
  run(s);
  std::istringstream lines(read_file(first.folder + "/events.jsonl"));
  std::string names;
  double last = 0;
  for (std::string line; std::getline(lines, line);) {
    const Value event = parse_yaml(line, "events.jsonl");
    names += event.find("event")->scalar + " ";
    EXPECT_LE(last, seconds_of_utc(event.find("time")->scalar));
    last = seconds_of_utc(event.find("time")->scalar);
    if (event.find("event")->scalar != "cell_finished" || event.find("cell")->scalar != "int4/rtn") continue;
    const Table& cells = first.results.table("/cells");
    EXPECT_EQ(event.find("status")->scalar, "ok");
    EXPECT_EQ(event.find("psnr_db")->as_number(""), numbers(cells, "psnr_db")[1]);
    EXPECT_EQ(event.find("bits_per_weight")->as_number(""), 4.25);
    EXPECT_EQ(event.find("n")->as_integer(""), 5);
  }
  const std::string cell = "cell_started cell_finished ", reused = "cell_reused ";
  EXPECT_EQ(names, "run_started calibrated " + cell + cell + cell + cell + "run_finished run_started " +
                       reused + reused + reused + "calibrated " + cell + "run_finished ");
}

TEST_F(RunStudy, WhatMakesNoSenseIsSkippedAndSaysWhy) {
  const StudyRun done =
      run(study("protocol: {items: 1, steps: 2}, scheme: {g48: {base: int4, weights: {group: 48}}}, cells: "
                "[{scheme: g48, method: rtn}, {scheme: int4, method: big}, {scheme: bf16, method: rtn}, "
                "{scheme: int4, method: rtn}], methods: {big: {preset: svd, low_rank: {rank: 1000}}}"));
  const Table& cells = done.results.table("/cells");
  EXPECT_EQ(done.skipped, 3);
  EXPECT_EQ(done.failed, 0);
  const std::vector<std::string> expected = {"", "48", "1000", "nothing for method rtn", ""};
  for (size_t i = 1; i < cells.rows(); ++i) {
    EXPECT_EQ(texts(cells, "status")[i], i == 4 ? "ok" : "skipped");
    EXPECT_NE(texts(cells, "message")[i].find(expected[i]), std::string::npos) << texts(cells, "message")[i];
  }
}

TEST_F(RunStudy, AFailedCellIsRecordedAndTheOthersRun) {
  testing::write_random_model(model(), {.huge_weight = true});
  const StudyConfig s = study("protocol: {items: 1, steps: 2}, schemes: [int4], methods: [svd, rtn]");
  const StudyRun done = run(s);
  const Table& cells = done.results.table("/cells");
  EXPECT_EQ(texts(cells, "status"), (std::vector<std::string>{"reference", "failed", "ok"}));
  EXPECT_FALSE(texts(cells, "message")[1].empty());
  EXPECT_EQ(done.failed, 1);
  EXPECT_EQ(run(s).reused, 2);  // a failure is a result
  EXPECT_EQ(load_yaml(done.folder + "/status.json").find("state")->scalar, "failed");
}

TEST_F(RunStudy, AModelThatIsNotFiniteStopsTheStudy) {
  testing::write_random_model(model(), {.nan_weight = true});
  EXPECT_TRUE(testing::throws_error([&] { run(small_study()); }, Errc::kInput, {"proj_out"}));
}

TEST_F(RunStudy, ItemsAreAddedUntilTheIntervalIsNarrow) {
  const StudyRun narrow =
      run(study("protocol: {items: 2, steps: 2, until_half_width_db: 0.0001, max_items: 40}, schemes: "
                "[int4], methods: [rtn]"));
  EXPECT_EQ(integers(narrow.results.table("/cells"), "n")[1], 40);
  const StudyRun wide =
      run(study("protocol: {items: 2, steps: 2, until_half_width_db: 50, max_items: 40}, schemes: [int4], "
                "methods: [rtn]"));
  EXPECT_EQ(integers(wide.results.table("/cells"), "n")[1], 2);
}

TEST_F(RunStudy, AllCellsHaveTheItemsOfTheFirst) {
  const StudyConfig s = study(
      "protocol: {items: 2, steps: 2, until_half_width_db: 0.0001, max_items: 5}, schemes: [int4], methods: "
      "[rtn, svd]");
  const StudyRun done = run(s);
  EXPECT_EQ(integers(done.results.table("/cells"), "n"), (std::vector<int64_t>{2, 5, 5}));
  fs::remove(done.folder + "/cells/int4-svd.h5");  // resumed, the first cell still decides
  EXPECT_EQ(integers(run(s).results.table("/cells"), "n")[2], 5);
}

TEST_F(RunStudy, OutliersHurtRoundingAndAreNamedInFiles) {
  const StudyRun done =
      run(study("protocol: {items: 2, steps: 2}, schemes: [int4], methods: [rtn], cells: [{scheme: int4, "
                "method: rtn, outliers: {channels: 4, strength: 64}}]"));
  const Table& cells = done.results.table("/cells");
  ASSERT_EQ(texts(cells, "cell"), (std::vector<std::string>{"16-bit", "16-bit+outliers-4x64", "int4/rtn",
                                                            "int4/rtn+outliers-4x64"}));
  EXPECT_LT(numbers(cells, "output_sqnr_db")[3], numbers(cells, "output_sqnr_db")[2] - 5);
  EXPECT_TRUE(fs::exists(done.folder + "/samples/int4-rtn+outliers-4x64/grid.png"));
  EXPECT_NE(caption_of(done.results).find("outliers-4x64"), std::string::npos);
}

TEST_F(RunStudy, RefusesALockedAForeignAndAnUnwritableFolder) {
  const StudyConfig s = study("protocol: {items: 1, steps: 2}, schemes: [int4], methods: [rtn]");
  const StudyRun done = run(s);
  const int lock = ::open((done.folder + "/lock").c_str(), O_RDWR);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  EXPECT_TRUE(testing::throws_error([&] { run(s); }, Errc::kLocked, {"lock", "another process"}));
  ::close(lock);
  write_file(done.folder + "/provenance.json", "{\"schema\": \"svdlab/0\"}");
  EXPECT_TRUE(testing::throws_error([&] { run(s); }, Errc::kConfig, {"svdlab/0", "svdlab/1", done.folder}));
  write_file(dir_.file("file"), "");
  EXPECT_TRUE(testing::throws_error([&] { run(s, "file/runs"); }, Errc::kResource, {"file/runs"}));
}

TEST_F(RunStudy, APlanThatDoesNotFitIsRefusedBeforeAnythingIsWritten) {
  const StudyConfig s = study(
      "methods: [rtn], plan: [{match: 'nothing*', recipe: {scheme: int4, method: $method}}, {match: "
      "'*', recipe: {scheme: bf16}}]");
  EXPECT_TRUE(testing::throws_error([&] { run(s); }, Errc::kConfig, {"nothing*"}));
  EXPECT_FALSE(fs::exists(dir_.file("runs")));
}

TEST_F(RunStudy, DescribingWritesNothing) {
  const StudyConfig s = small_study();
  const auto lines = describe_study(s, {.runs = dir_.file("runs")});
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[1], "run   int4/rtn");
  EXPECT_FALSE(fs::exists(dir_.file("runs")));
  run(s);
  EXPECT_EQ(describe_study(s, {.runs = dir_.file("runs")})[1], "reuse int4/rtn");
}

TEST_F(RunStudy, ADamagedCalibrationCacheIsReplaced) {
  const StudyConfig s = small_study();
  const StudyRun first = run(s);
  for (const auto& entry : fs::directory_iterator(dir_.file("runs/cache")))
    write_file(entry.path(), "damaged");
  fs::remove_all(first.folder);
  testing::expect_same_tables(run(s).results.tables, first.results.tables, false);
}

TEST_F(RunStudy, ADamagedCellFileIsNamedWithTheFix) {
  const StudyConfig s = study("protocol: {items: 1, steps: 2}, schemes: [int4], methods: [rtn]");
  const StudyRun done = run(s);
  write_file(done.folder + "/cells/int4-rtn.h5", "damaged");
  EXPECT_TRUE(testing::throws_error([&] { run(s); }, Errc::kInput, {"int4-rtn.h5", "remove the file"}));
}

TEST_F(RunStudy, ReportsNameEveryCell) {
  const StudyRun done = run(small_study());
  write_views(done.folder, done.results);
  for (const char* file : {"tables/table.csv", "tables/table.md", "tables/table.tex", "report.html"}) {
    const std::string text = read_file(done.folder + "/" + file);
    for (const char* cell : {"int4/rtn", "int4/svdquant", "nvfp4/rtn", "nvfp4/svdquant"})
      EXPECT_NE(text.find(cell), std::string::npos) << file << " " << cell;
  }
  const Table gains = gain_table(done.results);
  ASSERT_EQ(gains.rows(), 2u);
  EXPECT_EQ(texts(gains, "against")[1], "nvfp4/rtn");
  const Table& cells = done.results.table("/cells");
  EXPECT_NEAR(numbers(gains, "PSNR gain")[0], numbers(cells, "psnr_db")[2] - numbers(cells, "psnr_db")[1],
              1e-9);
}

}  // namespace
}  // namespace svdlab
