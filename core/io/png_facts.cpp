#include "core/io/png_facts.h"

#include <array>
#include <fstream>

#include "core/base/error.h"

namespace svdlab {
namespace {

const std::string kSignature = "\x89PNG\r\n\x1a\n";
constexpr int kPalette = 1, kColour = 2, kAlpha = 4;  // bits of the colour type

struct Chunk {
  uint32_t bytes = 0;
  std::string type;
};

Chunk next_chunk(std::istream& in) {
  std::array<unsigned char, 8> head{};
  in.read(reinterpret_cast<char*>(head.data()), head.size());
  return {uint32_t{head[0]} << 24 | uint32_t{head[1]} << 16 | uint32_t{head[2]} << 8 | uint32_t{head[3]},
          std::string(head.begin() + 4, head.end())};
}

}  // namespace

PngFacts png_facts(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  SVDLAB_REQUIRE(in.good(), Errc::kInput, path, ": cannot be opened");
  std::string signature(kSignature.size(), '\0');
  in.read(signature.data(), static_cast<std::streamsize>(signature.size()));
  const Chunk first = next_chunk(in);
  std::array<char, 13> header{};
  in.read(header.data(), header.size());
  SVDLAB_REQUIRE(in.good() && signature == kSignature && first.type == "IHDR" && first.bytes == header.size(),
                 Errc::kInput, path, ": not a readable PNG: no header");
  const int colour = header[9];
  PngFacts facts{header[8], (colour & kColour) == 0, (colour & kPalette) != 0, (colour & kAlpha) != 0};
  in.ignore(4);
  for (Chunk c = next_chunk(in); in.good() && c.type != "IDAT"; c = next_chunk(in)) {
    facts.alpha = facts.alpha || c.type == "tRNS";
    in.ignore(std::streamsize{c.bytes} + 4);
  }
  return facts;
}

}  // namespace svdlab
