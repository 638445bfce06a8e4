// Studies on more than one backend.
#include <gtest/gtest.h>

#include <cmath>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "core/runtime/kernel_stream.h"
#include "experiments/study/backend.h"
#include "experiments/study/run_study.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/backend_view.h"
#include "experiments/tables/run_views.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

class BackendStudy : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_random_model(dir_.file("model"), {.side = 8}); }

  StudyRun run(const std::string& more) const {
    const StudyConfig study = parse_study(
        parse_yaml("{study: s, model: " + dir_.file("model") +
                       ", calibration: {pairs: 4, pairs_per_item: 2, tokens: 256}, protocol: {items: 2, "
                       "steps: 2}, " +
                       more + "}",
                   "study.yaml"));
    return run_study(study,
                     {.runs = dir_.file("runs"), .schedule = {.threads = 2}, .command_line = {"test"}});
  }

  testing::TempDir dir_;
};

TEST_F(BackendStudy, TheFusedPlanOnTheCpuBesideTheReference) {
  const StudyRun done = run("schemes: [int4], methods: [svdquant], backend: [reference, fused-cpu]");
  const Table& cells = done.results.table("/cells");
  ASSERT_EQ(cells.rows(), 3u);
  for (size_t i = 1; i < 3; ++i) EXPECT_EQ(texts(cells, "status")[i], "ok") << texts(cells, "message")[i];
  EXPECT_EQ(numbers(cells, "output_sqnr_db")[1], numbers(cells, "output_sqnr_db")[2]) << "one recipe";
  const Table& backends = done.results.table("/backends");
  ASSERT_EQ(backends.rows(), 2u);
  EXPECT_EQ(integers(backends, "fused_linears")[0], 0);
  EXPECT_GT(integers(backends, "fused_linears")[1], 10);
  EXPECT_EQ(integers(backends, "reference_linears")[1], 0);
  EXPECT_GE(numbers(backends, "worst_sqnr_db")[1], numbers(backends, "worst_gate_db")[1])
      << texts(backends, "worst_node")[1];
  EXPECT_GT(numbers(backends, "seconds_per_step")[1], 0);
  const Table& paths = done.results.table("/paths");
  EXPECT_GT(rows_where(paths, "path", "fused").size(), 20u);
  for (const std::string& cell : texts(paths, "cell")) EXPECT_EQ(cell, "int4/svdquant@fused-cpu");
  write_views(done.folder, done.results);
  EXPECT_NE(read_file(done.folder + "/tables/backends.md").find("fused-cpu"), std::string::npos);
  EXPECT_NE(read_file(done.folder + "/report.html").find("Backends"), std::string::npos);
}

TEST_F(BackendStudy, WithoutAGpuItsCellsAreSkippedByName) {
  const std::string problem = gpu_problem();
  if (problem.empty()) GTEST_SKIP() << "there is a GPU";
  const StudyRun done = run("schemes: [int4], methods: [rtn], backend: cuda");
  const Table& cells = done.results.table("/cells");
  ASSERT_EQ(cells.rows(), 2u);
  EXPECT_EQ(texts(cells, "cell")[1], "int4/rtn@cuda");
  EXPECT_EQ(texts(cells, "status")[1], "skipped");
  EXPECT_EQ(texts(cells, "message")[1], problem);
  EXPECT_EQ(done.skipped, 1);
}

TEST_F(BackendStudy, TheReferenceAloneHasNoRowsOfBackends) {
  const StudyRun done = run("schemes: [int4], methods: [rtn]");
  EXPECT_EQ(done.results.table("/backends").rows(), 0u);
  EXPECT_EQ(done.results.table("/paths").rows(), 0u);
  EXPECT_EQ(backend_table(done.results).rows(), 0u);
}

}  // namespace
}  // namespace svdlab
