#pragma once
#include <memory>

#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/compressed.h"

namespace svdlab {

/// Facts about the input a weight quantizer may use; every field may be absent.
struct WeightContext {
  Tensor gram;  ///< [K, K] fp64, uncentred, of the input before the division by `smooth`; undefined when not
                ///< collected
  Tensor
      smooth;  ///< [K] fp32: the transform divides the input by it; undefined: it does not (see input_gram.h)
  /// What WeightQuantizer::prepare made of the Gram matrix, for every weight that sees the same input.
  Tensor order;           ///< [K] int64
  Tensor inverse_factor;  ///< [K, K] fp64
  int threads = 1;        ///< scheduling only: the result does not depend on it
};

/// Turns a weight matrix into codes and scales. Immutable once built, so safe to share between threads.
class WeightQuantizer {
 public:
  virtual ~WeightQuantizer() = default;
  /// @param w  [out_features, in_features] fp32, all finite; scheme.group divides in_features.
  virtual QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme,
                                   const WeightContext& context) const = 0;
  virtual bool needs_gram() const = 0;
  /// Does once, into `context`, what every call of quantize() with this Gram matrix would do again. Optional:
  /// results are the same without.
  virtual void prepare(WeightContext& context) const { (void)context; }
  /// What rounds in its place where many candidates are compared: cheap, and of the same format. Null: round
  /// to nearest under the scheme, as in DeepCompressor.
  virtual const WeightQuantizer* stand_in() const { return nullptr; }
};

using WeightQuantizerFactory = std::unique_ptr<WeightQuantizer> (*)(Fields& options);
/// Catalogue of weight quantizers; the key under `weights:` in a recipe.
const Registry<WeightQuantizerFactory>& weight_quantizers();

}  // namespace svdlab
