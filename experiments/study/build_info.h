#pragma once
#include <string>
#include <utility>
#include <vector>

namespace svdlab {

/// What this program was built from and with.
struct BuildInfo {
  std::string version, commit, compiler, flags;
  std::vector<std::pair<std::string, std::string>> libraries;  ///< name, version
};
const BuildInfo& build_info();

}  // namespace svdlab
