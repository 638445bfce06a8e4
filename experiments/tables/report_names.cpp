#include "experiments/tables/report_names.h"

#include <algorithm>

namespace svdlab {

std::vector<std::string> distinct(const std::vector<std::string>& values) {
  std::vector<std::string> out;
  for (const std::string& v : values)
    if (std::find(out.begin(), out.end(), v) == out.end()) out.push_back(v);
  return out;
}

std::string short_block(const std::string& block) {
  const size_t dot = block.rfind('.');
  if (dot == std::string::npos) return block;
  const bool single = block.rfind("single", 0) == 0;
  return (single ? "single " : "block ") + block.substr(dot + 1);
}

std::string short_layer(const std::string& layer, const std::string& block) {
  if (block.empty() || layer.rfind(block + ".", 0) != 0) return layer;
  return short_block(block) + " " + layer.substr(block.size() + 1);
}

}  // namespace svdlab
