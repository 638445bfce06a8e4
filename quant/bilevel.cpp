#include "core/ir/quantize.h"
#include "quant/codebook_quantizer.h"
#include "quant/coded_scales.h"

namespace svdlab {
namespace {

// SpQR's affine format (arXiv 2306.03078): few-bit codes in short groups from each group's smallest to its
// largest value, whose scales and zero points are quantized, too, over `scale_group` rows of one column
// group. Differs from the paper in that zero points are integers: 0 is exact then, so what a branch took out
// of a weight stays out.
class Bilevel final : public WeightQuantizer {
 public:
  Bilevel(int bits, int64_t group, ScaleCoding coding) : bits_(bits), group_(group), coding_(coding) {}

  QuantizedTensor quantize(const Tensor& w, const TensorScheme&, const WeightContext&) const override {
    QuantizedTensor q = empty_quantized(scheme(), w.size(0), w.size(1));
    const float largest = static_cast<float>((1 << bits_) - 1);
    // Of anything but finite weights encode() names the first.
    const Tensor groups = at::nan_to_num(w, 0.0, 0.0, 0.0).reshape({w.size(0), -1, group_});
    const Tensor least = groups.amin(2).clamp_max(0), most = groups.amax(2).clamp_min(0);
    q.scales = over_rows((most - least) / largest).clamp_min(kSmallestScale);
    q.zeros = over_rows((-least / q.scales).round().clamp(0, largest)).round();
    encode(w, q);
    return q;
  }
  bool needs_gram() const override { return false; }
  const WeightQuantizer* stand_in() const override { return this; }

 private:
  static constexpr float kSmallestScale = 0x1p-126f;

  TensorScheme scheme() const {
    return {.format = NumberFormat::kAffine,
            .grouping = Grouping::kGroup,
            .group = group_,
            .scale = ScaleFormat::kFp32,
            .bits = bits_,
            .scale_code_bits = coding_.bits,
            .scale_group = coding_.group};
  }
  Tensor over_rows(const Tensor& values) const { return coded(values.t(), coding_).t().contiguous(); }

  int bits_;
  int64_t group_;
  ScaleCoding coding_;
};

}  // namespace

std::unique_ptr<WeightQuantizer> make_bilevel(Fields& options) {
  const int bits = read_code_bits(options, 3, 2);
  const int64_t group = options.integer("group", 16), scale_bits = options.integer("scale_bits", 3),
                scale_group = options.integer("scale_group", 16);
  SVDLAB_REQUIRE(group > 0 && scale_group > 0 && scale_bits >= 1 && scale_bits <= 8, Errc::kConfig,
                 options.where(), ": bilevel needs group and scale_group > 0 and scale_bits 1 to 8, not ",
                 group, ", ", scale_group, " and ", scale_bits);
  return std::make_unique<Bilevel>(bits, group,
                                   ScaleCoding{.bits = static_cast<int>(scale_bits), .group = scale_group});
}

}  // namespace svdlab
