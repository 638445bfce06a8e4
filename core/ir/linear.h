#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

/// What a linear does in its block; decides defaults and table columns, never arithmetic.
enum class Role {
  kQuery,
  kKey,
  kValue,
  kAttentionOut,
  kFfUp,
  kFfDown,
  kFusedOut,
  kAdaLn,
  kTimeEmbed,
  kEmbed,
  kFinal
};

/// What feeds a linear; decides whether a per-channel factor can be folded away upstream.
enum class Producer {
  kInput,      ///< a model input or embedding
  kSilu,       ///< silu of the conditioning vector: not foldable
  kModulate,   ///< adaLN-modulated norm: foldable into the modulation linear
  kAttention,  ///< attention output: foldable into the value projection
  kGelu,       ///< GELU output: not foldable
  kConcat,     ///< several of the above, see LinearSpec::segments
};

std::string to_string(Role role);
std::string to_string(Producer producer);

/// A K range of a linear's input with one producer; a plain linear has one segment, FLUX's single-block
/// `proj_out` has two (attention | GELU). Segments are contiguous from 0 to in_features.
struct Segment {
  int64_t begin = 0, end = 0;
  Producer producer = Producer::kInput;
  int64_t size() const { return end - begin; }
};

/// One linear layer: y = x weight^T + bias.
struct LinearSpec {
  std::string name;  ///< the checkpoint's module name, e.g. transformer_blocks.3.attn.to_q
  Tensor weight;     ///< [out_features, in_features], checkpoint dtype, a view of the mapped file
  Tensor bias;       ///< [out_features]; undefined when the layer has none
  Role role = Role::kEmbed;
  std::string block;              ///< module name of the block it belongs to, "" outside blocks
  bool t_only = false;            ///< input depends on timestep and conditioning alone, one row per item
  std::vector<Segment> segments;  ///< see Segment

  int64_t out_features() const { return weight.size(0); }
  int64_t in_features() const { return weight.size(1); }
};

/// Linears that share one input, hence one smoothing vector and one set of activation statistics.
struct LayerGroup {
  std::string name;          ///< name of the first member
  std::vector<int> members;  ///< indices into Graph::linears
  std::vector<std::vector<int>>
      branches;                ///< partition of members; each part shares one low-rank down factor
  std::string smooth_tied_to;  ///< name of the group whose smoothing vector this one must use, or ""
};

}  // namespace svdlab
