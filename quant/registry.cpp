// The catalogue of this folder: one line for each strategy.
#include "quant/transform.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

std::unique_ptr<Transform> make_no_transform(Fields&);
std::unique_ptr<Transform> make_smooth(Fields&);
std::unique_ptr<WeightQuantizer> make_gptq(Fields&);
std::unique_ptr<WeightQuantizer> make_rtn(Fields&);

const Registry<TransformFactory>& transforms() {
  static const Registry<TransformFactory> registry(
      "transform", {
                       {"none", "the input as it is", make_no_transform},
                       {"smooth", "divide the input per channel, multiply the weight", make_smooth},
                   });
  return registry;
}

const Registry<WeightQuantizerFactory>& weight_quantizers() {
  static const Registry<WeightQuantizerFactory> registry(
      "weight quantizer",
      {
          {"rtn", "round to nearest, scale = largest magnitude of the group", make_rtn},
          {"gptq", "column by column, rounding errors carried on through the inverse Gram matrix", make_gptq},
      });
  return registry;
}

}  // namespace svdlab
