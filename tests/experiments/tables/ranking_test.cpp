#include "experiments/tables/ranking.h"

#include <gtest/gtest.h>

#include <cmath>

#include "experiments/study/schema.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

struct MadeUpCell {
  std::string scheme, method;
  double bits, sqnr;
  std::vector<double> psnr;  ///< of items 0, 1 ...
  std::string outliers = "";
  int64_t rounds = 1;
};

/// Appends to every column of /cells that is not set here a value that does not matter.
void add_cell(const MadeUpCell& c, ResultFile& r, const std::string& status = "ok") {
  Table &cells = r.table("/cells"), &samples = r.table("/samples"), &layers = r.table("/layers");
  const std::string name = c.scheme + "/" + c.method + c.outliers;
  const size_t rows = cells.rows() + 1;
  double sum = 0;
  for (const double psnr : c.psnr) sum += psnr;
  texts(cells, "cell").push_back(name);
  texts(cells, "scheme").push_back(c.scheme);
  texts(cells, "method").push_back(c.method);
  texts(cells, "status").push_back(status);
  texts(cells, "outliers").push_back(c.outliers);
  numbers(cells, "bits_per_weight").push_back(c.bits);
  numbers(cells, "output_sqnr_db").push_back(c.sqnr);
  numbers(cells, "psnr_db").push_back(sum / static_cast<double>(c.psnr.size()));
  for (Column& column : cells.columns) std::visit([&](auto& values) { values.resize(rows); }, column.values);
  for (size_t i = 0; i < c.psnr.size(); ++i) {
    texts(samples, "cell").push_back(name);
    texts(samples, "item").push_back("item" + std::to_string(i));
    numbers(samples, "psnr_db").push_back(c.psnr[i]);
    numbers(samples, "ssim").push_back(1);
    texts(samples, "png_sha256").push_back("");
  }
  for (const double off : {-1.0, 1.0}) {
    texts(layers, "cell").push_back(name);
    numbers(layers, "output_sqnr_db").push_back(c.sqnr + off);
    integers(layers, "rounds").push_back(c.rounds);
  }
  for (Column& column : layers.columns)
    std::visit([&](auto& values) { values.resize(texts(layers, "cell").size()); }, column.values);
}

ResultFile results_of(const std::vector<MadeUpCell>& cells) {
  ResultFile r;
  r.tables = result_tables();
  for (const MadeUpCell& c : cells) add_cell(c, r);
  return r;
}

size_t row_of(const Table& t, const std::string& cell) { return rows_where(t, "cell", cell).at(0); }

const std::vector<MadeUpCell> kCells = {{"int4", "rtn", 4.0, 20, {28, 30}},
                                        {"int4", "svdquant", 5.0, 23, {32, 32}},
                                        {"int4", "mine", 4.25, 24, {31, 30}},
                                        {"int4", "smaller", 3.5, 10, {20, 20}},
                                        {"nvfp4", "mine", 4.5, 26, {35, 35}}};

TEST(Ranking, OrdersByPsnrAndGivesBothPlaces) {
  const Table t = ranking_table(results_of(kCells));
  EXPECT_EQ(texts(t, "cell"), (std::vector<std::string>{"nvfp4/mine", "int4/svdquant", "int4/mine",
                                                        "int4/rtn", "int4/smaller"}));
  EXPECT_EQ(integers(t, "by PSNR"), (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(integers(t, "by SQNR"), (std::vector<int64_t>{1, 3, 2, 4, 5}));
  EXPECT_EQ(texts(t, "SQNR 95 %")[1], "[22.00, 24.00]");
}

TEST(Ranking, EqualBitsIsALineBetweenTheNeighboursItemByItem) {
  const Table t = ranking_table(results_of(kCells));
  // A quarter of the way from rtn to svdquant: items 29 and 30.5.
  const size_t mine = row_of(t, "int4/mine");
  EXPECT_NEAR(numbers(t, "at equal bits")[mine], ((31 - 29.0) + (30 - 30.5)) / 2, 1e-12);
  EXPECT_EQ(texts(t, "against")[mine], "rtn .. svdquant");
  EXPECT_EQ(texts(t, "gain 95 %")[mine], "[-0.50, 2.00]");
}

TEST(Ranking, WhatIteratesIsHeldAgainstWhatIterates) {
  std::vector<MadeUpCell> cells = kCells;
  cells.push_back({"int4", "svdquant-iterated", 5.0, 24, {36, 36}, "", 20});
  cells.push_back({"int4", "svdquant-iterated-r4", 4.5, 24, {34, 34}, "", 20});
  cells.push_back({"int4", "mine-iterated", 4.75, 25, {36, 36}, "", 20});
  cells.push_back({"nvfp4", "rtn", 4.5, 25, {33, 33}});
  cells.push_back({"nvfp4", "svdquant", 5.0, 25, {34, 34}});
  cells.push_back({"nvfp4", "mine-iterated", 5.0, 25, {37, 37}, "", 20});
  const Table t = ranking_table(results_of(cells));
  const auto held = [&](const std::string& cell) { return texts(t, "against")[row_of(t, cell)]; };
  EXPECT_EQ(held("int4/mine"), "rtn .. svdquant");
  EXPECT_EQ(held("int4/mine-iterated"), "svdquant-iterated-r4 .. svdquant-iterated");
  EXPECT_NEAR(numbers(t, "at equal bits")[row_of(t, "int4/mine-iterated")], 36 - 35.0, 1e-12);
  EXPECT_EQ(held("int4/svdquant-iterated"), "baseline");
  EXPECT_EQ(held("nvfp4/mine-iterated"), "svdquant");
}

TEST(Ranking, BeyondTheBaselineTheNearestEndStandsAndTheDifferenceIsNamed) {
  const Table t = ranking_table(results_of(kCells));
  const size_t smaller = row_of(t, "int4/smaller");
  EXPECT_NEAR(numbers(t, "at equal bits")[smaller], -9, 1e-12);
  EXPECT_EQ(texts(t, "against")[smaller], "rtn, 0.50 bits more");
}

TEST(Ranking, NothingToCompareWithIsNoNumber) {
  const Table t = ranking_table(results_of(kCells));
  for (const char* cell : {"int4/rtn", "int4/svdquant", "nvfp4/mine"})
    EXPECT_TRUE(std::isnan(numbers(t, "at equal bits")[row_of(t, cell)])) << cell;
  EXPECT_EQ(texts(t, "against")[row_of(t, "int4/rtn")], "baseline");
  EXPECT_EQ(texts(t, "against")[row_of(t, "nvfp4/mine")], "");
}

TEST(Ranking, OtherRanksOfSvdquantAreBaselineToo) {
  std::vector<MadeUpCell> cells = kCells;
  cells.push_back({"int4", "svdquant-r4", 4.25, 22, {30, 31}});
  cells.push_back({"int4", "svdquant-gptq", 4.25, 25, {33, 33}});
  const Table t = ranking_table(results_of(cells));
  EXPECT_NEAR(numbers(t, "at equal bits")[row_of(t, "int4/mine")], 0, 1e-12);
  EXPECT_EQ(texts(t, "against")[row_of(t, "int4/mine")], "svdquant-r4");
  EXPECT_NEAR(numbers(t, "at equal bits")[row_of(t, "int4/svdquant-gptq")], 2.5, 1e-12);
}

TEST(Ranking, CellsWithOtherOutliersAreAmongThemselvesAndFailedOnesNotRanked) {
  std::vector<MadeUpCell> cells = kCells;
  cells.push_back({"int4", "rtn", 4.0, 5, {10, 10}, "+outliers"});
  cells.push_back({"int4", "mine", 4.0, 6, {12, 13}, "+outliers"});
  ResultFile r = results_of(cells);
  add_cell({"int4", "broken", 4.0, 99, {99, 99}}, r, "failed");
  const Table t = ranking_table(r);
  EXPECT_TRUE(rows_where(t, "cell", "int4/broken").empty());
  EXPECT_EQ(integers(t, "by PSNR")[row_of(t, "int4/mine+outliers")], 1);
  EXPECT_EQ(integers(t, "by PSNR")[row_of(t, "int4/mine")], 3);
  EXPECT_NEAR(numbers(t, "at equal bits")[row_of(t, "int4/mine+outliers")], 2.5, 1e-12);
}

}  // namespace
}  // namespace svdlab
