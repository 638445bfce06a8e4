#pragma once
#include <string>

#include "core/io/export_source.h"

namespace svdlab {

/// Writes a folder that diffusers' NunchakuLiteQuantizer loads: one Nunchaku linear for each linear, W4A4
/// (int4 or nvfp4) or W4A16 int4, with current names, and config.json naming them. What is kept and rounded
/// is as in nunchaku_module.h, but for W4A16 in plain order and tensor scales, which each linear has for
/// itself. Throws kConfig naming the first linear the format cannot hold: sizes that do not fill tiles of
/// 128, for the loader checks shapes, and the shift behind GELU, which its modules do not apply.
void export_nunchaku_lite(const std::string& folder, const ExportSource& source);

/// The linears of such a folder that `graph` has. Throws kInput when a tensor does not fit its linear.
CompressedModel read_nunchaku_lite(const std::string& folder, const Graph& graph);

}  // namespace svdlab
