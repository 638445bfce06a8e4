#pragma once
#include "quant/activation_quantizer.h"
#include "tests/lowrank/problems.h"

namespace svdlab::testing {

/// Affine weights' and activations' scheme: per-channel weights of int`weight_bits` (a weight quantizer may
/// make them affine), one affine range of `activation_bits` for each K range of the input.
inline Scheme static_affine_scheme(NumberFormat weights, int activation_bits) {
  const TensorScheme row{
      .format = weights, .grouping = Grouping::kRow, .group = 0, .scale = ScaleFormat::kFp32};
  TensorScheme input = row;
  input.format = NumberFormat::kAffine;
  input.grouping = Grouping::kTensor;
  input.bits = activation_bits;
  return {"static-affine", row, ActivationScheme{input}};
}

/// The same with symmetric activations: one range for all, or one scale for each token.
inline Scheme symmetric_scheme(NumberFormat format, Grouping activations) {
  const TensorScheme row{
      .format = format, .grouping = Grouping::kRow, .group = 0, .scale = ScaleFormat::kFp32};
  TensorScheme input = row;
  input.grouping = activations;
  return {"symmetric", row, ActivationScheme{input}};
}

inline std::unique_ptr<ActivationQuantizer> activations(const std::string& name, const std::string& yaml) {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "activations." + name);
  auto made = activation_quantizers().at(name)(fields);
  fields.finish();
  return made;
}

/// Fails unless integer codes and decoded numbers give the same output to fp32 rounding.
inline void expect_codes_mean_the_same(const CompressedLinear& linear, const Tensor& x) {
  expect_close(run_compressed(linear, x, Execution::kCodes),
               run_compressed(linear, x, Execution::kDequantized), 2e-6);
}

}  // namespace svdlab::testing
