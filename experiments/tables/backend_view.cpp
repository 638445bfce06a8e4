#include "experiments/tables/backend_view.h"

#include <cmath>
#include <map>

#include "experiments/study/table_rows.h"
#include "experiments/tables/item_values.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

/// The cell with the same recipe on the reference: its name is what is before the @.
std::string reference_cell(const std::string& cell, const std::string& backend) {
  return backend == "reference" ? "" : cell.substr(0, cell.size() - backend.size() - 1);
}

std::string verdict(const Interval& difference) {
  if (difference.n == 0 || std::isnan(difference.value)) return "";
  return std::abs(difference.value) <= kBackendGateDb ? "within" : "beyond";
}

}  // namespace

Table backend_table(const ResultFile& results) {
  Table out{
      "/backends",
      {text_column("cell"), text_column("backend"), text_column("device"), integer_column("linears fused"),
       integer_column("linears not"), text_column("worst node"), number_column("its SQNR", "dB"),
       number_column("its gate", "dB"), number_column("PSNR", "dB"), number_column("to reference", "dB"),
       text_column("95 %"), text_column("0.3 dB"), number_column("seconds a step", "s")}};
  const Table& t = results.table("/backends");
  const Table& samples = results.table("/samples");
  for (size_t i = 0; i < t.rows(); ++i) {
    const std::string &cell = texts(t, "cell")[i], &backend = texts(t, "backend")[i];
    const ItemValues psnr = psnr_by_item(samples, cell);
    const std::string other = reference_cell(cell, backend);
    const Interval difference =
        paired_difference(psnr, other.empty() ? ItemValues() : psnr_by_item(samples, other));
    for (const char* name : {"cell", "backend", "device"}) texts(out, name).push_back(texts(t, name)[i]);
    const bool fused = backend != "reference";
    integers(out, "linears fused").push_back(integers(t, "fused_linears")[i]);
    integers(out, "linears not").push_back(integers(t, "reference_linears")[i]);
    texts(out, "worst node").push_back(fused ? texts(t, "worst_node")[i] : "");
    numbers(out, "its SQNR").push_back(numbers(t, "worst_sqnr_db")[i]);
    numbers(out, "its gate").push_back(numbers(t, "worst_gate_db")[i]);
    const std::vector<size_t> cells = rows_where(results.table("/cells"), "cell", cell);
    numbers(out, "PSNR").push_back(mean_over(results.table("/cells"), "psnr_db", cells));
    numbers(out, "to reference").push_back(difference.value);
    texts(out, "95 %").push_back(interval_text(difference.lo, difference.hi, 2));
    texts(out, "0.3 dB").push_back(verdict(difference));
    numbers(out, "seconds a step").push_back(numbers(t, "seconds_per_step")[i]);
  }
  return out;
}

std::string backend_caption() {
  return "The same recipes on several backends. Worst node: of all fused nodes the one nearest to its gate, "
         "its results against the reference's on the reference's own inputs (first item, every step). PSNR "
         "against the 16-bit run; to reference: its mean difference to the same recipe on the reference, "
         "paired by item, with a 95 % interval, and whether it is within 0.3 dB. Seconds a step: median of "
         "up to four steps of one item on one thread. From /backends, /samples and /cells.";
}

Table path_table(const ResultFile& results) {
  Table out{"/paths",
            {text_column("cell"), text_column("path"), text_column("reason"), integer_column("nodes"),
             text_column("for example")}};
  const Table& t = results.table("/paths");
  std::map<std::string, size_t> rows;
  for (size_t i = 0; i < t.rows(); ++i) {
    const std::string &cell = texts(t, "cell")[i], &path = texts(t, "path")[i], &why = texts(t, "reason")[i];
    const auto [row, is_new] = rows.emplace(cell + "\n" + path + "\n" + why, out.rows());
    if (is_new) {
      texts(out, "cell").push_back(cell);
      texts(out, "path").push_back(path);
      texts(out, "reason").push_back(why);
      integers(out, "nodes").push_back(0);
      texts(out, "for example").push_back(texts(t, "node")[i]);
    }
    ++integers(out, "nodes")[row->second];
  }
  return out;
}

}  // namespace svdlab
