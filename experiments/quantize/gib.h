#pragma once
#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>

namespace svdlab {

/// "1.25 GiB"
inline std::string gib(int64_t bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << static_cast<double>(bytes) / (int64_t{1} << 30) << " GiB";
  return out.str();
}

}  // namespace svdlab
