#include "core/ir/quantize.h"
#include "quant/weight_quantizer.h"

namespace svdlab {
namespace {

// Round to nearest: the baseline every other method must beat.
class Rtn final : public WeightQuantizer {
 public:
  QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme, const WeightContext&) const override {
    return svdlab::quantize(w, scheme);
  }
  bool needs_gram() const override { return false; }
};

}  // namespace

std::unique_ptr<WeightQuantizer> make_rtn(Fields&) { return std::make_unique<Rtn>(); }

}  // namespace svdlab
