#pragma once
#include <optional>

#include "quant/coded_scales.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

/// Rounds to the nearest of fixed levels; groups and scale format are the scheme's, each group's largest
/// magnitude is brought to 1.
class CodebookQuantizer final : public WeightQuantizer {
 public:
  /// @param levels  fp32, ascending in [-1, 1].  @param coding  of the scales, which then are fp32 first.
  explicit CodebookQuantizer(Tensor levels, std::optional<ScaleCoding> coding = {})
      : levels_(std::move(levels)), coding_(coding) {}

  QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme,
                           const WeightContext& context) const override;
  bool needs_gram() const override { return false; }
  const WeightQuantizer* stand_in() const override { return this; }

 private:
  Tensor levels_;
  std::optional<ScaleCoding> coding_;
};

/// Reads `bits` of a code; kConfig outside of [least, 8].
int read_code_bits(Fields& options, int fallback, int least);

}  // namespace svdlab
