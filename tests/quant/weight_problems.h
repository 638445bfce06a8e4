#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "core/ir/quantize.h"
#include "core/models/model.h"
#include "tests/lowrank/problems.h"

namespace svdlab::testing {

inline std::unique_ptr<WeightQuantizer> weights(const std::string& name, const std::string& yaml = "{}") {
  const Value options = parse_yaml(yaml, "test");
  Fields fields(options, "weights." + name);
  auto made = weight_quantizers().at(name)(fields);
  fields.finish();
  return made;
}

/// One scale for everything: what remains is the format itself.
inline TensorScheme whole_tensor() {
  return {
      .format = NumberFormat::kInt4, .grouping = Grouping::kTensor, .group = 0, .scale = ScaleFormat::kFp32};
}

/// Laplace numbers of variance 1 (a normal times the root of an exponential), in [rows, cols] fp32.
inline Tensor laplace_tensor(at::IntArrayRef sizes, const std::string& name) {
  const Tensor z = random_tensor(sizes, name), u = random_tensor(sizes, name + "-u"),
               v = random_tensor(sizes, name + "-v");
  return z * ((u.square() + v.square()) / 2).sqrt();
}

/// Student t numbers with three degrees of freedom.
inline Tensor student_tensor(at::IntArrayRef sizes, const std::string& name) {
  Tensor chi = at::zeros(sizes);
  for (const char* part : {"-a", "-b", "-c"}) chi += random_tensor(sizes, name + part).square();
  return random_tensor(sizes, name) / (chi / 3).sqrt();
}

/// Mean squared error over variance.
inline double relative_error(const Tensor& m, const Tensor& back) {
  return (m - back).to(at::kDouble).square().sum().item<double>() /
         m.to(at::kDouble).square().sum().item<double>();
}

/// The best that `levels` can do with one scale for all of `m`, of 120 tried.
inline double best_relative_error(const Tensor& m, const Tensor& levels) {
  const double largest = m.abs().max().item<double>(), size = m.std().item<double>();
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < 120; ++i) {
    const double clip = 0.5 * size * std::pow(std::max(2 * largest / size, 2.0), i / 119.0);
    QuantizedTensor q = empty_quantized(whole_tensor(), m.size(0), m.size(1));
    q.scheme.format = NumberFormat::kCodebook;
    q.scheme.bits = 8;
    q.codebook = levels;
    q.scales.fill_(clip);
    encode(m, q);
    best = std::min(best, relative_error(m, dequantize(q)));
  }
  return best;
}

/// A few linears of the embedded model, each with a role of its own.
inline std::vector<LinearSpec> embedded_linears() {
  const Model model = load_model(SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar");
  std::vector<LinearSpec> out;
  for (const LinearSpec& linear : model.graph.linears)
    for (const char* name : {"transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_out.0",
                             "single_transformer_blocks.3.proj_out"})
      if (linear.name == name) out.push_back(linear);
  return out;
}

/// OutlierGroup with a linear of the embedded model for its weight.
class EmbeddedGroup : public OutlierGroup {
 public:
  EmbeddedGroup(const LinearSpec& linear, const std::string& scheme)
      : OutlierGroup(linear.name, {linear.weight.size(0)}, linear.weight.size(1), scheme,
                     /*tokens=*/512) {
    problem.weights = {linear.weight.to(at::kFloat).contiguous()};
  }
};

/// Fails unless both ways of running the group's linears give the same output to fp32 rounding.
inline void expect_codes_run_as_decoded(const OutlierGroup& g, const GroupCompression& c) {
  for (const CompressedLinear& linear : c.linears)
    expect_close(run_compressed(linear, g.x, Execution::kCodes),
                 run_compressed(linear, g.x, Execution::kDequantized), 1e-5);
}

}  // namespace svdlab::testing
