#pragma once
#include <string>
#include <vector>

namespace svdlab {

/// Runs a study with another build of this program: `binary run STUDY... --threads N` in a folder of its own
/// below `runs`, named after `side`, the binary's content and the study, so that results of another build are
/// never taken for this one's and an interrupted run goes on. Its table is not shown, its progress is.
/// @param words  study files and overrides.
/// @return the run folder. kInput when the binary cannot be started or ends without results.
std::string run_live(const std::string& binary, const std::string& side,
                     const std::vector<std::string>& words, const std::string& runs, int threads);

}  // namespace svdlab
