#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace svdlab::bench {

/// A timed case: one row of the table. Times in microseconds; 0 where there is none.
struct Measurement {
  std::string what;     ///< "copy", "gemm", "prologue", "linear", "branch", "small_m"
  std::string variant;  ///< "exact 192x2", "cublas bf16", ...
  int64_t m = 0, n = 0, k = 0, rank = 0;
  double cold_us = 0, cold_p10_us = 0, cold_p90_us = 0;  ///< single launches behind an overwritten L2 cache
  double burst_us = 0;                                   ///< mean of many launches back to back
  double tera_per_s = 0;                                 ///< operations of the problem over the cold median
  double giga_bytes_per_s = 0;                           ///< its bytes over the cold median
  double floor_operations_us = 0;  ///< operations over the measured peak of the unit that does them
  double floor_bytes_us = 0;       ///< bytes over the copy rate of the same run
  double bf16_ratio = 0;  ///< cuBLASLt bf16 of the same shape and run over this: above 1 is faster than it
  double sm_mhz = 0, watts = 0;  ///< in the burst
  std::string error;             ///< why there are no times, or ""
};

/// The columns of a CSV file and of the table, and one row of them.
const std::vector<std::string>& measurement_columns();
std::vector<std::string> measurement_cells(const Measurement& m);

/// Cells with commas between; no cell holds one.
std::string csv_line(const std::vector<std::string>& cells);

}  // namespace svdlab::bench
