#include "experiments/tables/ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "experiments/report/text.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/item_values.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

/// `line` itself and `line`-r<rank>.
bool is_on_line(const std::string& method, const std::string& line) {
  const std::string ranked = line + "-r";
  return method == line || (method.size() > ranked.size() && method.rfind(ranked, 0) == 0 &&
                            method.find_first_not_of("0123456789", ranked.size()) == std::string::npos);
}

constexpr const char* kOneRound = "svdquant";
constexpr const char* kIterated = "svdquant-iterated";

bool is_baseline(const std::string& method) {
  return method == "rtn" || is_on_line(method, kOneRound) || is_on_line(method, kIterated);
}

/// Whether branch and residual of some layer were fitted in more than one round.
bool iterates(const ResultFile& results, const std::string& cell) {
  const Table& layers = results.table("/layers");
  const std::vector<size_t> rows = rows_where(layers, "cell", cell);
  return std::any_of(rows.begin(), rows.end(),
                     [&](size_t row) { return integers(layers, "rounds")[row] > 1; });
}

/// What a cell is held against, item by item.
struct EqualBits {
  ItemValues psnr;
  std::string name;
};

EqualBits one_point(const ResultFile& results, size_t row, double bits) {
  const Table& cells = results.table("/cells");
  const double more = numbers(cells, "bits_per_weight")[row] - bits;
  const std::string& cell = texts(cells, "cell")[row];
  std::string name = texts(cells, "method")[row];
  if (std::abs(more) >= 0.005)
    name += ", " + report::fixed(std::abs(more), 2) + (more > 0 ? " bits more" : " bits fewer");
  return {psnr_by_item(results.table("/samples"), cell), name};
}

/// The baseline at `bits`, from rows of /cells in the order of their bits.
EqualBits baseline_at(const ResultFile& results, const std::vector<size_t>& points, double bits) {
  const Table& cells = results.table("/cells");
  const std::vector<double>& size = numbers(cells, "bits_per_weight");
  const auto above =
      std::find_if(points.begin(), points.end(), [&](size_t row) { return size[row] >= bits; });
  if (above == points.begin()) return one_point(results, points.front(), bits);
  if (above != points.end() && size[*above] == bits) return one_point(results, *above, bits);
  if (above == points.end()) return one_point(results, points.back(), bits);
  const size_t low = *(above - 1), high = *above;
  const double part = (bits - size[low]) / (size[high] - size[low]);
  EqualBits out = one_point(results, low, size[low]);
  const EqualBits other = one_point(results, high, size[high]);
  for (auto& [item, value] : out.psnr) {
    const auto found = other.psnr.find(item);
    value = found == other.psnr.end() ? std::nan("") : value + part * (found->second - value);
  }
  out.name += " .. " + other.name;
  return out;
}

/// Rows of rtn and of a line of the cell's scheme and outliers, by bits.
std::vector<size_t> points_of(const Table& cells, size_t cell, const std::string& line) {
  std::vector<size_t> out;
  for (size_t row = 0; row < cells.rows(); ++row) {
    const std::string& method = texts(cells, "method")[row];
    if (texts(cells, "status")[row] == "ok" && (method == "rtn" || is_on_line(method, line)) &&
        texts(cells, "scheme")[row] == texts(cells, "scheme")[cell] &&
        texts(cells, "outliers")[row] == texts(cells, "outliers")[cell])
      out.push_back(row);
  }
  const std::vector<double>& size = numbers(cells, "bits_per_weight");
  std::stable_sort(out.begin(), out.end(), [&](size_t a, size_t b) { return size[a] < size[b]; });
  return out;
}

/// A cell that iterates is held against cells that do, where its scheme has any beside rtn.
std::vector<size_t> baseline_of(const ResultFile& results, size_t cell) {
  const Table& cells = results.table("/cells");
  if (iterates(results, texts(cells, "cell")[cell])) {
    const std::vector<size_t> points = points_of(cells, cell, kIterated);
    const auto is_rtn = [&](size_t row) { return texts(cells, "method")[row] == "rtn"; };
    if (!std::all_of(points.begin(), points.end(), is_rtn)) return points;
  }
  return points_of(cells, cell, kOneRound);
}

Interval sqnr_over_layers(const ResultFile& results, const std::string& cell) {
  const Table& layers = results.table("/layers");
  const std::vector<double> values = picked(layers, "output_sqnr_db", rows_where(layers, "cell", cell));
  return values.empty() ? Interval{std::nan(""), std::nan(""), std::nan(""), 0}
                        : bootstrap_mean(values, "output_sqnr");
}

/// 1 for the largest; NaN comes last. Of the rows with the same outliers.
int64_t place(const Table& cells, const std::vector<size_t>& rows, const std::string& column, size_t row) {
  const std::vector<double>& value = numbers(cells, column);
  const auto above = [&](size_t other) {
    return texts(cells, "outliers")[other] == texts(cells, "outliers")[row] &&
           (value[other] > value[row] || (std::isnan(value[row]) && !std::isnan(value[other])));
  };
  return 1 + std::count_if(rows.begin(), rows.end(), above);
}

void add_row(const ResultFile& results, const std::vector<size_t>& rows, size_t row, Table& t) {
  const Table& cells = results.table("/cells");
  const std::string& cell = texts(cells, "cell")[row];
  const double bits = numbers(cells, "bits_per_weight")[row];
  const Interval sqnr = sqnr_over_layers(results, cell);
  texts(t, "cell").push_back(cell);
  numbers(t, "bits/weight").push_back(bits);
  integers(t, "by SQNR").push_back(place(cells, rows, "output_sqnr_db", row));
  numbers(t, "output SQNR").push_back(numbers(cells, "output_sqnr_db")[row]);
  texts(t, "SQNR 95 %").push_back(interval_text(sqnr.lo, sqnr.hi, 2));
  integers(t, "by PSNR").push_back(place(cells, rows, "psnr_db", row));
  numbers(t, "PSNR").push_back(numbers(cells, "psnr_db")[row]);
  texts(t, "PSNR 95 %")
      .push_back(interval_text(numbers(cells, "psnr_lo_db")[row], numbers(cells, "psnr_hi_db")[row], 2));
  const std::vector<size_t> points = baseline_of(results, row);
  const bool own = is_baseline(texts(cells, "method")[row]);
  EqualBits base{{}, own ? "baseline" : ""};
  if (!own && !points.empty()) base = baseline_at(results, points, bits);
  const Interval gain = paired_difference(psnr_by_item(results.table("/samples"), cell), base.psnr);
  numbers(t, "at equal bits").push_back(gain.value);
  texts(t, "gain 95 %").push_back(interval_text(gain.lo, gain.hi, 2));
  texts(t, "against").push_back(base.name);
}

}  // namespace

Table ranking_table(const ResultFile& results) {
  const Table& cells = results.table("/cells");
  std::vector<size_t> rows;
  for (size_t row = 0; row < cells.rows(); ++row)
    if (texts(cells, "status")[row] == "ok") rows.push_back(row);
  Table t{"/ranking",
          {text_column("cell"), number_column("bits/weight"), integer_column("by SQNR"),
           number_column("output SQNR", "dB"), text_column("SQNR 95 %"), integer_column("by PSNR"),
           number_column("PSNR", "dB"), text_column("PSNR 95 %"), number_column("at equal bits", "dB"),
           text_column("gain 95 %"), text_column("against")}};
  std::vector<size_t> ordered = rows;
  std::stable_sort(ordered.begin(), ordered.end(), [&](size_t a, size_t b) {
    return std::pair(place(cells, rows, "psnr_db", a), place(cells, rows, "output_sqnr_db", a)) <
           std::pair(place(cells, rows, "psnr_db", b), place(cells, rows, "output_sqnr_db", b));
  });
  for (const size_t row : ordered) add_row(results, rows, row, t);
  return t;
}

std::string ranking_caption() {
  return "Cells by PSNR, and their place by output SQNR, which need not agree: errors of single layers do "
         "not "
         "see how they add up along a trajectory. Intervals: of the mean output SQNR over layers, of the "
         "mean "
         "PSNR over items. At equal bits: PSNR less that of the scheme's baseline at the same bits per "
         "weight, paired by item; the baseline is rtn, svdquant and svdquant-r<rank>, or svdquant-iterated "
         "and "
         "svdquant-iterated-r<rank> for a cell that iterates, straight lines between neighbours. Beyond its "
         "ends the nearest stands, and the last column says by how many bits it "
         "differs. From /cells, /layers and /samples.";
}

}  // namespace svdlab
