#include "core/base/error.h"
#include "quant/affine_range.h"
#include "quant/smoothing.h"
#include "quant/transform.h"

namespace svdlab {
namespace {

// RepQ-ViT (arXiv 2212.08254, section 3.2): the input is calibrated channel by channel, scale s_k and zero
// point z_k, and brought to one scale s and zero point z for all by x / (s_k / s) + s (z_k - z), so that one
// affine range per tensor gives every channel the codes of its own. Both are free to choose: here s is 1 and
// z the middle code 2^(bits - 1), an integer, with which codes are the channels' own (the paper's means
// differ in a half of them); `activations: {static: {step: 1}}` is that range. The paper folds both into the
// norm before; here they stay online, and the offset's response is taken out of the bias.
class RepQ final : public Transform {
 public:
  TransformFit fit(std::span<const GroupProblem> problems, const TransformScore&) const override {
    const GroupProblem& first = problems.front();
    SVDLAB_REQUIRE(
        first.scheme.activations && first.scheme.activations->tensor.format == NumberFormat::kAffine,
        Errc::kConfig, "transform repq: scheme ", first.scheme.name,
        " has no zero points; set activations: {format: affine, bits: 8, grouping: tensor}");
    const int bits = first.scheme.activations->tensor.bits;
    Tensor low = first.stats->min, high = first.stats->max;
    for (const GroupProblem& p : problems.subspan(1)) {
      low = at::minimum(low, p.stats->min);
      high = at::maximum(high, p.stats->max);
    }
    const AffineRange own = affine_range(low, high, bits, ScaleFormat::kBf16);
    // A channel that was always zero has no scale of its own.
    const Tensor scale = at::where(own.scale > 0x1p-100, own.scale, at::ones_like(own.scale));
    const double middle = 1 << (bits - 1);
    return {{stored_smoothing(scale), {Offset{own.zero - middle}}}, {}};
  }
  bool needs_stats() const override { return true; }
};

}  // namespace

std::unique_ptr<Transform> make_repq(Fields&) { return std::make_unique<RepQ>(); }

}  // namespace svdlab
