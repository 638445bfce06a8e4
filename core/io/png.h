#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace svdlab {

/// 8-bit RGB, row-major, interleaved.
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  ///< [height, width, 3]
};

/// Deterministic bytes for equal input (fixed zlib level and filter, no time stamp). `text` becomes tEXt
/// chunks.
std::string encode_png(const Image& image, const std::map<std::string, std::string>& text = {});
void write_png(const std::string& path, const Image& image,
               const std::map<std::string, std::string>& text = {});
/// Reads any PNG as 8-bit RGB. kInput on damage, and on pictures above 2^28 pixels.
Image read_png(const std::string& path);

}  // namespace svdlab
