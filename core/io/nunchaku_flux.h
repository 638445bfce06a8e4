#pragma once
#include <string>
#include <vector>

#include "core/ir/graph.h"

namespace svdlab {

/// One linear of Nunchaku's FLUX: what it is called, and which columns of which of our linears it stacks.
struct NunchakuLinear {
  std::string current, old;          ///< its name in files with current and with older names
  std::vector<std::string> members;  ///< linears of the graph, by rows
  Segment range;                     ///< the columns of theirs that it holds
  int64_t chunks = 0;                ///< adaLN: vectors it makes, and it is W4A16; else W4A4
};

/// Every linear in the blocks of a FLUX graph: q, k, v as one, `proj_out` of single blocks as two. Throws
/// kConfig for a linear in a block that Nunchaku's FLUX does not know.
std::vector<NunchakuLinear> nunchaku_flux_linears(const Graph& flux);

/// The older name of a tensor that is not quantized: query and key norms move to the block.
std::string nunchaku_old_name(const std::string& tensor);

}  // namespace svdlab
