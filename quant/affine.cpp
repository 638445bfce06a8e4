#include "core/base/error.h"
#include "core/ir/quantize.h"
#include "quant/affine_range.h"
#include "quant/weight_quantizer.h"

namespace svdlab {
namespace {

// Affine codes with an integer zero point from the smallest and largest weight of each output channel, or of
// whatever else has a scale in the scheme (Krishnamoorthi, arXiv 1806.08342, section 3.1). The scheme says
// how many bits, unless `bits` does; its number format is replaced.
class Affine final : public WeightQuantizer {
 public:
  explicit Affine(int bits) : bits_(bits) {}

  QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme, const WeightContext&) const override {
    SVDLAB_REQUIRE(!scheme.two_level && scheme.scale_code_bits == 0, Errc::kConfig,
                   "weights affine: scales are stored as they are; drop two_level and scale_code_bits");
    TensorScheme own = scheme;
    own.format = NumberFormat::kAffine;
    own.bits = bits_ > 0 ? bits_ : static_cast<int>(scheme.code_bits());
    QuantizedTensor q = empty_quantized(own, w.size(0), w.size(1));
    // Of anything but finite weights encode() names the first.
    const Tensor groups = at::nan_to_num(w, 0.0, 0.0, 0.0).reshape({w.size(0), own.groups_of(w.size(1)), -1});
    Tensor low = groups.amin(2), high = groups.amax(2);
    if (own.grouping == Grouping::kTensor) low = low.amin(0, true), high = high.amax(0, true);
    const AffineRange range = affine_range(low, high, own.bits, own.scale);
    q.scales = range.scale;
    q.zeros = range.zero;
    encode(w, q);
    return q;
  }
  bool needs_gram() const override { return false; }
  const WeightQuantizer* stand_in() const override { return this; }

 private:
  int bits_;
};

}  // namespace

std::unique_ptr<WeightQuantizer> make_affine(Fields& options) {
  const int64_t bits = options.has("bits") ? options.integer("bits", 0) : 0;
  SVDLAB_REQUIRE(bits == 0 ? !options.has("bits") : bits >= 2 && bits <= 8, Errc::kConfig, options.where(),
                 ": `", options.path_of("bits"), "` must be 2 to 8, not ", bits);
  return std::make_unique<Affine>(static_cast<int>(bits));
}

}  // namespace svdlab
