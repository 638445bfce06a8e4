#pragma once
#include <cstdlib>

#include "core/io/yaml.h"

namespace svdlab::testing {

/// How often to do what `tests/run.sh --full` wants done more often: the environment's `variable`, or
/// `fallback`.
inline int64_t repetitions(const char* variable, int64_t fallback) {
  const char* wanted = std::getenv(variable);
  return wanted ? parse_yaml(wanted, variable).as_integer(variable) : fallback;
}

}  // namespace svdlab::testing
