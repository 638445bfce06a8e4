#pragma once
#include <string>
#include <vector>

#include "core/io/lora_file.h"

namespace svdlab {

struct AttachedLora {
  std::vector<std::string> linears;  ///< what the adapter changes
  int64_t rank = 0;                  ///< the largest of its modules
  /// Modules that are none of the folder's linears: unknown, or layers that stayed 16 bit.
  std::vector<std::string> left_out;
};

struct AttachOptions {
  double strength = 1;
  bool partial = false;  ///< leave modules out that are none of the folder's linears, instead of refusing
};

/// Writes a copy of the compressed model in `folder` with the adapter attached to its low-rank branches;
/// nothing is quantized again. Files are hard links where the file system allows, and `out` appears when it
/// is complete. Throws kInput when a module does not fit, kConfig for modules that are none of the folder's
/// linears, an adapter that is attached already, and when `out` is there already.
AttachedLora attach_lora(const std::string& folder, const LoraFile& lora, const AttachOptions& options,
                         const std::string& out);

/// Writes a copy of `folder` without the adapter of this name; without any left it has the bytes it had
/// before the first was attached. kConfig with the nearest name.
void detach_lora(const std::string& folder, const std::string& name, const std::string& out);

}  // namespace svdlab
