#pragma once
#include <string>
#include <vector>

namespace svdlab {

/// The values without repetition, in the order in which they first occur.
std::vector<std::string> distinct(const std::vector<std::string>& values);

/// "single_transformer_blocks.3" -> "single 3", "transformer_blocks.0" -> "block 0".
std::string short_block(const std::string& block);

/// "transformer_blocks.0.attn.to_q" of that block -> "block 0 attn.to_q".
std::string short_layer(const std::string& layer, const std::string& block);

}  // namespace svdlab
