#pragma once
#include <string>

namespace svdlab {

/// Prints what `svdlab quantize` wrote into `folder`: where it came from, and every linear with its formats.
void inspect_compressed(const std::string& folder);

}  // namespace svdlab
