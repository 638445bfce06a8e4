#pragma once
#include <string>

#include "core/io/export_source.h"

namespace svdlab {

/// Nunchaku renamed its tensors once; what they hold is the same.
enum class NunchakuNames {
  kCurrent,  ///< diffusers' module names: attn.to_qkv, proj_down, smooth_factor ...
  kOld       ///< the FLUX single file: qkv_proj, lora_down, smooth ...
};

/// Writes a FLUX model as one Nunchaku file, int4 or nvfp4 by its scheme, in 16 bit bf16: q, k and v fused,
/// proj_out of single blocks split, adaLN re-ordered as AWQ W4A16, see nunchaku_module.h and
/// nunchaku_tensors.h for what is kept and what is rounded. Low-rank factors are padded to one rank. Holds
/// the packed model in memory. Throws kConfig naming the first linear the format cannot hold.
void export_nunchaku(const std::string& path, const ExportSource& source, NunchakuNames names);

/// The linears in such a file, of either naming; `graph` says which and of what size. Throws kInput when the
/// file does not fit.
CompressedModel read_nunchaku(const std::string& path, const Graph& graph);

}  // namespace svdlab
