#include "kernels/bench/measurement.h"

#include <cstdio>

namespace svdlab::bench {
namespace {

std::string fixed(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace

const std::vector<std::string>& measurement_columns() {
  static const std::vector<std::string> names = {"what",
                                                 "variant",
                                                 "m",
                                                 "n",
                                                 "k",
                                                 "rank",
                                                 "cold_us",
                                                 "cold_p10_us",
                                                 "cold_p90_us",
                                                 "burst_us",
                                                 "tera_per_s",
                                                 "giga_bytes_per_s",
                                                 "floor_operations_us",
                                                 "floor_bytes_us",
                                                 "bf16_ratio",
                                                 "sm_mhz",
                                                 "watts",
                                                 "error"};
  return names;
}

std::vector<std::string> measurement_cells(const Measurement& m) {
  std::string error = m.error;
  for (char& c : error)
    if (c == ',' || c == '\n') c = ';';
  return {m.what,
          m.variant,
          std::to_string(m.m),
          std::to_string(m.n),
          std::to_string(m.k),
          std::to_string(m.rank),
          fixed(m.cold_us, 2),
          fixed(m.cold_p10_us, 2),
          fixed(m.cold_p90_us, 2),
          fixed(m.burst_us, 2),
          fixed(m.tera_per_s, 1),
          fixed(m.giga_bytes_per_s, 1),
          fixed(m.floor_operations_us, 2),
          fixed(m.floor_bytes_us, 2),
          fixed(m.bf16_ratio, 3),
          fixed(m.sm_mhz, 0),
          fixed(m.watts, 0),
          error};
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) line += (i > 0 ? "," : "") + cells[i];
  return line;
}

}  // namespace svdlab::bench
