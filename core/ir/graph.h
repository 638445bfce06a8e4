#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/ir/linear.h"

namespace svdlab {

/// The op vocabulary of diffusion transformers. Shapes: B items, S tokens, D channels, H heads.
enum class Op {
  kInput,      ///< () -> named model input
  kLinear,     ///< x [.., K] -> [.., N]
  kLayerNorm,  ///< x -> (x - mean) / sqrt(var + eps) over the last axis, no affine
  kRmsNorm,    ///< x [B, S, H, d], weight [d] -> x / rms(x) * weight
  kModulate,   ///< x [B, S, D], scale [B, D], shift [B, D] -> x * (1 + scale) + shift
  kGatedAdd,   ///< residual [B, S, D], gate [B, D], x [B, S, D] -> residual + gate * x
  kGelu,       ///< tanh approximation
  kSilu,
  kAttention,  ///< q, k, v [B, S, H, d] -> [B, S, H d], softmax(q k^T / sqrt(d)) v
  kRope,       ///< x [B, S, H, d], table [S, d/2, 2] -> rotated interleaved pairs
  kRopeTable,  ///< txt_ids [T, axes], img_ids [L, axes] -> cos/sin [T+L, d/2, 2] in fp32
  kAdd,
  kConcat,             ///< along `axis`
  kSlice,              ///< x -> x[.., begin:end) on the last axis
  kTokensLike,         ///< x [B, S, D], ref [B, T, *] -> the first T tokens of x; with `rest` = 1 all others
  kHeads,              ///< [B, S, H d] -> [B, S, H, d]
  kTimestepEmbedding,  ///< t [B] -> [B, dim], cos | sin, t already multiplied by `scale`
};

std::string to_string(Op op);

struct Node {
  std::string id;  ///< the checkpoint's own name where there is one
  Op op = Op::kInput;
  std::vector<int> inputs;                   ///< node indices, all smaller than this node's own
  std::map<std::string, double> attributes;  ///< small numbers (eps, axis, heads ...)
  std::string parameter;                     ///< rms_norm: name of its weight tensor
  int linear = -1;                           ///< kLinear: index into Graph::linears

  double attribute(const std::string& name) const { return attributes.at(name); }
};

/// A model as data: nodes in topological order, the linears they refer to, and which linears share an input.
struct Graph {
  std::string architecture;  ///< e.g. "flux"
  std::vector<Node> nodes;
  std::vector<LinearSpec> linears;
  std::vector<LayerGroup> groups;
  std::map<std::string, Tensor> parameters;  ///< weights that belong to no linear, by checkpoint name
  std::map<std::string, double> facts;  ///< architecture numbers other code needs (in_channels, heads ...)
  int output = -1;                      ///< index of the output node

  int linear_index(const std::string& name) const;  ///< throws kConfig with the nearest name
  const LayerGroup& group_of(int linear) const;
  /// Index of the node that evaluates `linear`.
  int node_of_linear(int linear) const;
  /// Visits every tensor under its checkpoint name (x.weight, x.bias ...), in graph order.
  void for_each_tensor(const std::function<void(const std::string& name, Tensor& tensor)>& visit);
  int64_t parameter_count() const;
};

/// Throws kUnexpected when an invariant is broken: order, indices, groups partition the linears, segments
/// cover K.
void validate(const Graph& graph);

}  // namespace svdlab
