#pragma once
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>

namespace svdlab {

/// "1.25 GiB", below one "37.4 MiB"
inline std::string bytes_text(int64_t bytes) {
  const bool large = bytes >= int64_t{1} << 30;
  std::ostringstream out;
  out << std::fixed << std::setprecision(large ? 2 : 1)
      << static_cast<double>(bytes) / static_cast<double>(int64_t{1} << (large ? 30 : 20))
      << (large ? " GiB" : " MiB");
  return out.str();
}

}  // namespace svdlab
