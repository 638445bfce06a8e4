// The catalogue of this folder: one line for each strategy.
#include "quant/transform.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

std::unique_ptr<Transform> make_awq_lite(Fields&);
std::unique_ptr<Transform> make_closed_form_smoothing(Fields&);
std::unique_ptr<Transform> make_no_transform(Fields&);
std::unique_ptr<Transform> make_smooth(Fields&);
std::unique_ptr<WeightQuantizer> make_gptq(Fields&);
std::unique_ptr<WeightQuantizer> make_rtn(Fields&);
std::unique_ptr<WeightQuantizer> make_scale_search(Fields&);

const Registry<TransformFactory>& transforms() {
  static const Registry<TransformFactory> registry(
      "transform",
      {
          {"none", "the input as it is", make_no_transform},
          {"smooth", "divide the input per channel, multiply the weight", make_smooth},
          {"closed-form", "smooth by a formula: mean squares of input and weight, no search",
           make_closed_form_smoothing},
          {"awq-lite", "ModelOpt's search of one exponent, without the low-rank branch", make_awq_lite},
      });
  return registry;
}

const Registry<WeightQuantizerFactory>& weight_quantizers() {
  static const Registry<WeightQuantizerFactory> registry(
      "weight quantizer",
      {
          {"rtn", "round to nearest, scale = largest magnitude of the group", make_rtn},
          {"scale-search", "round to nearest, the scale of each group searched by its output error",
           make_scale_search},
          {"gptq", "column by column, rounding errors carried on through the inverse Gram matrix", make_gptq},
      });
  return registry;
}

}  // namespace svdlab
