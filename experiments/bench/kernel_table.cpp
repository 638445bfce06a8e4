#include "experiments/bench/kernel_table.h"

namespace svdlab {
namespace {

using bench::Measurement;

template <class T>
Column column(const std::vector<Measurement>& rows, const std::string& name, const std::string& unit,
              T Measurement::*field) {
  std::vector<T> values;
  for (const Measurement& m : rows) values.push_back(m.*field);
  return {name, unit, values};
}

}  // namespace

Table kernel_table(const std::vector<Measurement>& rows) {
  return {"/kernels",
          {column(rows, "what", "", &Measurement::what), column(rows, "variant", "", &Measurement::variant),
           column(rows, "m", "", &Measurement::m), column(rows, "n", "", &Measurement::n),
           column(rows, "k", "", &Measurement::k), column(rows, "rank", "", &Measurement::rank),
           column(rows, "cold_us", "us", &Measurement::cold_us),
           column(rows, "cold_p10_us", "us", &Measurement::cold_p10_us),
           column(rows, "cold_p90_us", "us", &Measurement::cold_p90_us),
           column(rows, "burst_us", "us", &Measurement::burst_us),
           column(rows, "floor_operations_us", "us", &Measurement::floor_operations_us),
           column(rows, "floor_bytes_us", "us", &Measurement::floor_bytes_us),
           column(rows, "bf16_ratio", "", &Measurement::bf16_ratio),
           column(rows, "tera_per_s", "1e12/s", &Measurement::tera_per_s),
           column(rows, "giga_bytes_per_s", "GB/s", &Measurement::giga_bytes_per_s),
           column(rows, "sm_mhz", "MHz", &Measurement::sm_mhz),
           column(rows, "watts", "W", &Measurement::watts), column(rows, "error", "", &Measurement::error)}};
}

}  // namespace svdlab
