#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/value.h"

namespace svdlab {

/// What decides the last bits of a result: the processor's vector instruction sets, the code paths that torch
/// and BLAS picked for them (environment variables can change both), compiler and flags, C library, and the
/// versions of torch and BLAS. Two machines with equal entries give equal bits.
std::map<std::string, std::string> machine_class();

Value class_to_value(const std::map<std::string, std::string>& machine);
/// kConfig when it is not a map of texts.
std::map<std::string, std::string> class_from_value(const Value& value);

/// "compiler is GNU 12.2.0, there GNU 13.1.0; ..."; "" when all is equal.
std::string class_differences(const std::map<std::string, std::string>& here,
                              const std::map<std::string, std::string>& there);

}  // namespace svdlab
