#include "experiments/tables/backend_view.h"

#include <gtest/gtest.h>

#include <cmath>

#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

Table& table_of(ResultFile& r, const std::string& name) { return r.table(name); }

void add_cell(ResultFile& r, const std::string& cell, const std::string& backend,
              const std::vector<double>& psnr) {
  Table &cells = table_of(r, "/cells"), &samples = table_of(r, "/samples"), &t = table_of(r, "/backends");
  texts(cells, "cell").push_back(cell);
  numbers(cells, "psnr_db").push_back(psnr[0]);
  for (size_t i = 0; i < psnr.size(); ++i) {
    texts(samples, "cell").push_back(cell);
    texts(samples, "item").push_back("item-" + std::to_string(i));
    numbers(samples, "psnr_db").push_back(psnr[i]);
  }
  texts(t, "cell").push_back(cell);
  texts(t, "backend").push_back(backend);
  texts(t, "device").push_back("cpu");
  integers(t, "fused_linears").push_back(5);
  integers(t, "reference_linears").push_back(1);
  texts(t, "worst_node").push_back("q");
  numbers(t, "worst_sqnr_db").push_back(51);
  numbers(t, "worst_gate_db").push_back(50);
  numbers(t, "seconds_per_step").push_back(0.5);
}

TEST(BackendView, PairsEachCellWithItsRecipeOnTheReference) {
  ResultFile r;
  r.tables = result_tables();
  add_cell(r, "int4/rtn", "reference", {30, 31, 32});
  add_cell(r, "int4/rtn@cuda", "cuda", {30.1, 31.1, 32.1});
  add_cell(r, "int4/svd@cuda", "cuda", {30, 30, 30});
  add_cell(r, "nvfp4/rtn", "reference", {30, 31, 32});
  add_cell(r, "nvfp4/rtn@cuda", "cuda", {29, 30, 31});
  const Table t = backend_table(r);
  ASSERT_EQ(t.rows(), 5u);
  EXPECT_TRUE(std::isnan(numbers(t, "to reference")[0]));
  EXPECT_NEAR(numbers(t, "to reference")[1], 0.1, 1e-9);
  EXPECT_EQ(texts(t, "0.3 dB"), (std::vector<std::string>{"", "within", "", "", "beyond"}));
  EXPECT_EQ(texts(t, "95 %")[4], "[-1.00, -1.00]");
  EXPECT_EQ(texts(t, "worst node")[0], "");
}

TEST(BackendView, PathsCountNodesByReason) {
  ResultFile r;
  r.tables = result_tables();
  EXPECT_EQ(backend_table(r).rows(), 0u);
  Table& paths = table_of(r, "/paths");
  const auto add = [&](const char* node, const char* path, const char* reason) {
    texts(paths, "cell").push_back("c");
    texts(paths, "node").push_back(node);
    texts(paths, "path").push_back(path);
    texts(paths, "reason").push_back(reason);
    for (const char* other : {"op", "served_by"}) texts(paths, other).push_back("");
    for (const char* other : {"implementation_sqnr_db", "gate_db"}) numbers(paths, other).push_back(1);
  };
  add("q", "fused", "");
  add("k", "reference", "has a sparse branch");
  add("v", "reference", "has a sparse branch");
  const Table t = path_table(r);
  ASSERT_EQ(t.rows(), 2u);
  EXPECT_EQ(integers(t, "nodes"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(texts(t, "for example")[1], "k");
}

}  // namespace
}  // namespace svdlab
