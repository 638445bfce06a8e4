#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"
#include "experiments/study/table_rows.h"
#include "experiments/tables/analysis_views.h"
#include "experiments/tables/row_math.h"

namespace svdlab {
namespace {

constexpr size_t kShownUnits = 12;

}  // namespace

std::vector<size_t> sensitivity_rows(const Table& s, const std::string& cell, const std::string& mode) {
  std::vector<size_t> out;
  for (const size_t row : rows_where(s, "cell", cell))
    if (texts(s, "mode")[row] == mode) out.push_back(row);
  return out;
}

AnalysisView sensitivity_view(const Table& s, const std::string& cell) {
  std::map<std::string, size_t> without;
  for (const size_t row : sensitivity_rows(s, cell, "all-but")) without[texts(s, "unit")[row]] = row;
  std::vector<size_t> rows = sensitivity_rows(s, cell, "only");
  const size_t units = rows.size();
  rows.resize(std::min(rows.size(), kShownUnits));
  const size_t all = sensitivity_rows(s, cell, "all").at(0);
  rows.insert(rows.begin(), all);
  Table t{"/sensitivity",
          {text_column("quantized alone"), integer_column("linears"), integer_column("weights"),
           number_column("output error"), number_column("latent error"), text_column("95 %"),
           number_column("PSNR", "dB"), number_column("gain left out", "dB"), text_column("95 % of gain"),
           integer_column("n")}};
  for (const size_t row : rows) {
    const bool is_all = row == all;
    const size_t rest = is_all ? all : without.at(texts(s, "unit")[row]);
    texts(t, "quantized alone").push_back(is_all ? "(everything)" : texts(s, "unit")[row]);
    integers(t, "linears").push_back(integers(s, "linears")[row]);
    integers(t, "weights").push_back(integers(s, "weights")[row]);
    numbers(t, "output error").push_back(numbers(s, "output_rel_error")[row]);
    numbers(t, "latent error").push_back(numbers(s, "latent_rel_error")[row]);
    texts(t, "95 %").push_back(interval_text(numbers(s, "latent_lo")[row], numbers(s, "latent_hi")[row], 4));
    numbers(t, "PSNR").push_back(numbers(s, "psnr_db")[row]);
    numbers(t, "gain left out").push_back(is_all ? std::nan("") : numbers(s, "psnr_gain_db")[rest]);
    texts(t, "95 % of gain")
        .push_back(is_all ? ""
                          : interval_text(numbers(s, "psnr_gain_lo_db")[rest],
                                          numbers(s, "psnr_gain_hi_db")[rest], 2));
    integers(t, "n").push_back(integers(s, "n")[row]);
  }
  return {"Sensitivity, " + cell,
          concat("The ", rows.size() - 1, " most harmful of ", units,
                 " parts. Errors are relative to the 16-bit run: of the model's output on the 16-bit "
                 "trajectory and of the final latents. Gain: PSNR when everything but this part is "
                 "quantized, less PSNR of everything, paired by item."),
          t};
}

}  // namespace svdlab
