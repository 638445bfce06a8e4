// The catalogue of this folder: one line for each strategy.
#include "quant/activation_quantizer.h"
#include "quant/extra_branch.h"
#include "quant/rotation_transform.h"
#include "quant/transform.h"
#include "quant/weight_importance.h"
#include "quant/weight_quantizer.h"

namespace svdlab {

std::unique_ptr<ActivationQuantizer> make_cross_activations(Fields&);
std::unique_ptr<ActivationQuantizer> make_dynamic_activations(Fields&);
std::unique_ptr<ActivationQuantizer> make_static_activations(Fields&);
std::unique_ptr<ExtraBranch> make_columns_branch(Fields&);
std::unique_ptr<ExtraBranch> make_kronecker_branch(Fields&);
std::unique_ptr<ExtraBranch> make_no_branch(Fields&);
std::unique_ptr<ExtraBranch> make_sparse_branch(Fields&);
std::unique_ptr<Transform> make_awq_lite(Fields&);
std::unique_ptr<Transform> make_closed_form_smoothing(Fields&);
std::unique_ptr<Rotator> make_adaptive(Fields&);
std::unique_ptr<Rotator> make_hadamard(Fields&);
std::unique_ptr<Rotator> make_outlier_aware(Fields&);
std::unique_ptr<Rotator> make_random_orthogonal(Fields&);
std::unique_ptr<Transform> make_no_transform(Fields&);
std::unique_ptr<Transform> make_noisy(Fields&);
std::unique_ptr<Transform> make_repq(Fields&);
std::unique_ptr<Transform> make_rotate_smooth(Fields&);
std::unique_ptr<Transform> make_smooth(Fields&);
std::unique_ptr<Transform> make_smooth_rotate(Fields&);
std::unique_ptr<WeightQuantizer> make_affine(Fields&);
std::unique_ptr<WeightImportance> make_gradient_importance(Fields&);
std::unique_ptr<WeightImportance> make_magnitude_importance(Fields&);
std::unique_ptr<WeightImportance> make_random_importance(Fields&);
std::unique_ptr<WeightImportance> make_spqr_importance(Fields&);
std::unique_ptr<WeightQuantizer> make_bilevel(Fields&);
std::unique_ptr<WeightQuantizer> make_gptq(Fields&);
std::unique_ptr<WeightQuantizer> make_normal_float(Fields&);
std::unique_ptr<WeightQuantizer> make_post(Fields&);
std::unique_ptr<WeightQuantizer> make_rtn(Fields&);
std::unique_ptr<WeightQuantizer> make_scale_search(Fields&);
std::unique_ptr<WeightQuantizer> make_twin_log(Fields&);

const Registry<TransformFactory>& transforms() {
  static const Registry<TransformFactory> registry(
      "transform",
      {
          {"none", "the input as it is", make_no_transform},
          {"smooth", "divide the input per channel, multiply the weight", make_smooth},
          {"closed-form", "smooth by a formula: mean squares of input and weight, no search",
           make_closed_form_smoothing},
          {"awq-lite", "ModelOpt's search of one exponent, without the low-rank branch", make_awq_lite},
          {"hadamard", "rotate each K range, or blocks of it, by a Hadamard matrix with random signs",
           make_rotation<make_hadamard>},
          {"random-orthogonal", "rotate blocks by random orthogonal matrices",
           make_rotation<make_random_orthogonal>},
          {"outlier-aware", "rotate, deal channels to blocks, rotate: aimed at outliers (DuQuant)",
           make_rotation<make_outlier_aware>},
          {"adaptive-rotation", "hadamard where the input is mild, else outlier-aware (LRQ-DiT)",
           make_rotation<make_adaptive>},
          {"smooth-rotate", "smooth, then rotate", make_smooth_rotate},
          {"rotate-smooth", "rotate, then smooth in the rotated space (QuantVGGT)", make_rotate_smooth},
          {"noisy", "fixed noise before rounding, taken out of the bias; its range searched (NoisyQuant)",
           make_noisy},
          {"repq", "per-channel scales and zero points moved into the weight (RepQ-ViT)", make_repq},
      });
  return registry;
}

const Registry<RotatorFactory>& rotators() {
  static const Registry<RotatorFactory> registry(
      "rotation", {
                      {"hadamard", "a Hadamard matrix with random signs", make_hadamard},
                      {"random-orthogonal", "random orthogonal blocks", make_random_orthogonal},
                      {"outlier-aware", "rotate, deal channels to blocks, rotate", make_outlier_aware},
                      {"adaptive-rotation", "hadamard or outlier-aware, as the input is", make_adaptive},
                  });
  return registry;
}

const Registry<ActivationQuantizerFactory>& activation_quantizers() {
  static const Registry<ActivationQuantizerFactory> registry(
      "activation quantizer",
      {
          {"dynamic", "scales from the tokens at hand, as the scheme says", make_dynamic_activations},
          {"static", "one range for all tokens from calibration, or a percentile of it; may be affine",
           make_static_activations},
          {"cross", "a power of the token's largest magnitude, the rest in the channel's (CrossQuant)",
           make_cross_activations},
      });
  return registry;
}

const Registry<ExtraBranchFactory>& extra_branches() {
  static const Registry<ExtraBranchFactory> registry(
      "extra branch",
      {
          {"none", "low-bit and low-rank branches alone", make_no_branch},
          {"kronecker", "the nearest sum of Kronecker products, in 16 bit (SoKA)", make_kronecker_branch},
          {"sparse", "single weights in 16 bit, by magnitude, gradient or SpQR's criterion",
           make_sparse_branch},
          {"columns", "input channels with outliers in 16 bit (LLM.int8)", make_columns_branch},
      });
  return registry;
}

const Registry<WeightImportanceFactory>& weight_importances() {
  static const Registry<WeightImportanceFactory> registry(
      "importance of weights",
      {
          {"magnitude", "|w|", make_magnitude_importance},
          {"random", "by chance", make_random_importance},
          {"gradient", "size of the loss's gradient (GWQ)", make_gradient_importance},
          {"spqr", "what leaving a weight out takes off its group's error (SpQR)", make_spqr_importance},
      });
  return registry;
}

const Registry<WeightQuantizerFactory>& weight_quantizers() {
  static const Registry<WeightQuantizerFactory> registry(
      "weight quantizer",
      {
          {"rtn", "round to nearest, scale = largest magnitude of the group", make_rtn},
          {"affine", "round to nearest between smallest and largest, with an integer zero point",
           make_affine},
          {"scale-search", "round to nearest, the scale of each group searched by its output error",
           make_scale_search},
          {"gptq", "column by column, rounding errors carried on through the inverse Gram matrix", make_gptq},
          {"bilevel", "affine codes in short groups with quantized scales and zero points (SpQR)",
           make_bilevel},
          {"nf", "quantiles of a normal distribution, with any number of bits (QLoRA, LQ-LoRA)",
           make_normal_float},
          {"post", "powers of the square root of 2 (ASQ/POST)", make_post},
          {"twin-log", "even steps of log2 |w|, found for each sign (LRQ-DiT)", make_twin_log},
      });
  return registry;
}

}  // namespace svdlab
