#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"

namespace svdlab {

/// Version of the layout of run directories and of results.h5.
inline const std::string kSchema = "svdlab/1";

/// Raised with every change that alters a result: stored cells and statistics of another version are not
/// reused.
inline constexpr int kNumericsVersion = 2;

/// The processor's name and its vector instruction sets, as the system tells them.
struct Machine {
  std::string processor, features, system, host;
  int cores = 0;
  double memory_gib = 0;
};
Machine machine();

/// Build and machine: the part of provenance that is the same for every run of one program on one computer.
Value build_provenance();
/// The above with command line, folder, process and time.
Value run_provenance(const std::vector<std::string>& command_line);

/// "2026-01-31T12:00:00Z"
std::string utc_now();

}  // namespace svdlab
