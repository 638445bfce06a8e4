#pragma once
#include <string>

namespace svdlab {

/// How a PNG stores its pixels, from the chunks before the pixel data; nothing is decoded.
struct PngFacts {
  int bit_depth = 8;
  bool grey = false, palette = false;
  bool alpha = false;  ///< an alpha channel, or a transparent colour (tRNS)
};

/// kInput naming the file when it cannot be opened or is no PNG.
PngFacts png_facts(const std::string& path);

}  // namespace svdlab
