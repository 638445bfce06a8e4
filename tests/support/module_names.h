#pragma once
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab::testing {

struct ModuleLine {
  std::string pattern;  ///< numbers of blocks are #
  int64_t count = 0, out_features = 0, in_features = 0;
  /// The name in the first of those blocks.
  std::string first() const {
    std::string out = pattern;
    for (size_t at; (at = out.find('#')) != std::string::npos;) out[at] = '0';
    return out;
  }
};

inline std::map<std::string, std::vector<ModuleLine>> read_module_names() {
  std::map<std::string, std::vector<ModuleLine>> out;
  std::ifstream file(SVDLAB_SOURCE_DIR "/tests/golden/module_names.txt");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string class_name;
    ModuleLine m;
    if (words >> class_name >> m.pattern >> m.count >> m.out_features >> m.in_features)
      out[class_name].push_back(m);
  }
  return out;
}

/// Linears by class, from tests/golden/module_names.txt.
inline const std::map<std::string, std::vector<ModuleLine>>& module_names() {
  static const auto names = read_module_names();
  return names;
}

}  // namespace svdlab::testing
