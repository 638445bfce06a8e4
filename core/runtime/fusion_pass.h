#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "kernels/quantize_fuse_down.h"

namespace svdlab {

/// Which part of the tokens of an attention a product makes: all of them, or those before or behind the
/// other's (FLUX double blocks: text, then image).
enum class TokenPart { kAll, kFirst, kLast };

/// RMSNorm and rotary embedding behind a product of query, key and value, done by its epilogue.
struct FusedNodeHeads {
  int query_norm = -1, key_norm = -1;  ///< rms_norm nodes: weights and epsilon
  int table = -1;                      ///< rope_table node
  int64_t heads = 0, head_dim = 0;
  TokenPart part = TokenPart::kAll;
  int query = -1, key = -1, value = -1;  ///< nodes that get the result, tokens of both parts
};

/// A part of the graph that kernels evaluate at one go: what is before the product, the products, what is
/// behind them.
struct FusedNode {
  /// A column range of the input: the node that is read, and what is done to it first.
  struct Source {
    int node = -1;
    InputStep step = InputStep::kNone;
    int scale = -1, shift = -1;  ///< kLayerNormModulate: nodes
    double epsilon = 1e-6;
  };
  struct Product {
    std::vector<int> nodes;  ///< linear nodes, weights under each other in this order
    std::optional<FusedNodeHeads> heads;
  };
  std::string name;          ///< id of its first linear node
  bool weight_only = false;  ///< one product of one linear, one source without a step
  std::vector<Source> sources;
  std::vector<Product> products;
  std::vector<int> covers;  ///< every graph node whose work it does, ascending
  int at = -1;              ///< node in whose turn it runs
  /// What it has no part in, and why: "modulate is read by X, too" ...; empty when all that could be is
  /// fused.
  std::string left_out;
};

/// Which path serves a graph node.
struct NodePath {
  int node = -1;
  std::string path;    ///< "fused": kernels; "torch": libtorch in 16 bit; "reference": compressed, on the CPU
  std::string served;  ///< fused: name of the FusedNode
  std::string reason;  ///< why not (more) fused; may be empty
};

struct FusionPlan {
  std::vector<FusedNode> nodes;  ///< in the order in which they run
  std::vector<NodePath> paths;   ///< one for every graph node but inputs
};

/// Finds what the fused kernels can serve: LayerNorm + modulate + quantize + down, or GELU + quantize + down
/// (also as one segment of a concatenated input), in front of products; one quantized input for all members
/// of a group that may share it; one product for those of a branch; RMSNorm + RoPE behind query, key and
/// value. A pure function.
/// @param architecture  see kernel_architecture.
FusionPlan plan_fusion(const Graph& graph, const CompressedModel& model, int architecture);

/// The least SQNR (dB) of a fused node's bf16 results against the reference's on the same inputs: a
/// regression gate, 50; 45 behind a fused norm or GELU, where a few input codes differ by one. The embedded
/// model on an H200: int4 from 57.3 and from 53.7 dB on (group sums in fp16), nvfp4 from 70.6 on.
double least_sqnr_db(const FusedNode& node);

/// The plan in words, one line a fused node: what a reader checks and a test compares.
std::string to_text(const Graph& graph, const FusionPlan& plan);

}  // namespace svdlab
