#pragma once
#include <vector>

#include "core/ir/compressed.h"
#include "core/runtime/pack_weight.h"
#include "kernels/gemm_quantized.h"

namespace svdlab {

struct FusedOptions {
  at::Device device = at::kCPU;
  int architecture = 90;  ///< see kernel_architecture
  /// The down factor divided by the smoothing vector as two bf16 numbers instead of one: 16 significant bits.
  bool two_part_down = true;
};

/// The input of one or more compressed linears, or one column range of it.
struct FusedSource {
  Tensor x;  ///< bf16 [M, columns], columns adjacent
  InputStep step = InputStep::kNone;
  Tensor scale, shift;  ///< kLayerNormModulate: bf16 [columns]
  double epsilon = 1e-6;
};

/// What quantize_fuse_down leaves: one for all products of a FusedLinear.
struct FusedInput {
  PackedMatrix codes;  ///< of the memory below
  Tensor memory[3];    ///< codes, scales, row powers
  Tensor low_rank;     ///< fp32 [M, rank of all products]
};

/// RMSNorm and rotary embedding behind a product of query, key and value heads; see NormRope.
struct FusedHeads {
  int64_t heads = 0, head_dim = 0;
  Tensor query_weight, key_weight;  ///< fp32 [head_dim]
  double epsilon = 1e-6;
  Tensor table;  ///< fp32 [M, head_dim / 2, 2]
};

/// Compressed linears with quantized activations that share one input, packed once for a device: the input is
/// quantized once, and each product multiplies its members' weights, under each other, with it. Equal to the
/// members one by one but for the order of sums (implementation error; a GPU's gates are in kernels/).
/// Immutable; run() and the others only enqueue on torch's current stream and take memory from torch alone,
/// so they can be captured in a CUDA graph.
class FusedLinear {
 public:
  using Members = std::vector<const CompressedLinear*>;

  /// @param products  each served (why_not_fused), all sharing their input (why_not_shared); members of one
  /// product have one weight scheme. Ranks of all products add up to at most 128. kConfig otherwise.
  FusedLinear(const std::vector<Members>& products, const FusedOptions& options);

  /// @param sources  one for the whole input, or one for each segment in order.
  FusedInput quantize(const std::vector<FusedSource>& sources) const;
  /// Writes [M, outputs of `product`] to `out`, bf16 with adjacent columns; undefined: makes it.
  Tensor multiply(size_t product, const FusedInput& input, Tensor out = {},
                  const FusedHeads* heads = nullptr) const;
  /// bf16 [M, K] -> bf16 [M, N] of the first product.
  Tensor run(const Tensor& x) const { return multiply(0, quantize({{x}})); }

  const std::vector<Segment>& segments() const { return segments_; }
  int64_t bytes() const;  ///< held on the device
  MainLoop main_loop() const { return loop_; }

 private:
  struct Product {
    PackedWeight weight;
    Tensor channel_scale, bias;  // fp32 [N] or undefined
    Tensor up;                   // bf16 [N, rank]
    int64_t rank_begin = 0;
    int64_t rank() const { return up.size(1); }
  };
  Product product_of(const Members& members, std::vector<Tensor>& downs) const;
  void set_down(const Tensor& down, bool two_parts);
  PackedOutput empty_codes(int64_t rows, FusedInput& input) const;
  void quantize_columns(const FusedSource& source, const Segment& segment, const PackedOutput& all,
                        const FusedInput& input) const;

  at::Device device_;
  MainLoop loop_ = MainLoop::kExact;
  ActivationScheme scheme_;
  std::vector<Segment> segments_;
  int64_t columns_ = 0;
  Tensor divide_by_;        // fp32 [K] or undefined
  Tensor down_, down_low_;  // bf16 [rank of all products, K]; down_low_ may be undefined
  std::vector<Product> products_;
};

}  // namespace svdlab
