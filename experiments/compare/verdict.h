#pragma once
#include <string>
#include <vector>

#include "experiments/compare/check_gates.h"

namespace svdlab {

/// A line for each gate with its margin; for those that did not pass the first and the worst offender and
/// what is missing, each with the command that looks at it alone: `command` with --only behind it.
std::string verdict_text(const std::vector<GateResult>& results, const std::string& command);

/// Throws kGate, naming the first gate and its first offender, unless all have passed.
void require_passed(const std::vector<GateResult>& results);

/// `word` as one word of a shell.
std::string shell_word(const std::string& word);

}  // namespace svdlab
