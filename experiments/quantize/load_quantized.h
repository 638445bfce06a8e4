#pragma once
#include <string>

#include "core/ir/compressed.h"
#include "core/models/model.h"

namespace svdlab {

/// The artefact in `folder` for `model`. Throws kInput when it was made from another checkpoint, with both
/// hashes.
CompressedModel load_quantized(const std::string& folder, const Model& model);

}  // namespace svdlab
