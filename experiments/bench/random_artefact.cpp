#include "experiments/bench/random_artefact.h"

#include <cmath>

#include "core/ir/scheme.h"
#include "experiments/bench/device_quantize.h"
#include "experiments/bench/step_model.h"

namespace svdlab {
namespace {

bool in_a_block(const std::string& name) { return name.find("transformer_blocks.") != std::string::npos; }

bool is_modulation(const std::string& name) {
  return name.find(".norm") != std::string::npos && name.find(".linear.") != std::string::npos;
}

class ArtefactBuilder {
 public:
  ArtefactBuilder(const ArtefactOptions& options, at::Device device)
      : options_(options), device_(device), random_(random_weights(device)) {}

  RandomArtefact build(const FluxConfig& config) {
    out_.graph = build_flux(config, [this](const std::string& name, at::IntArrayRef shape) {
      if (shape.size() != 2 || !in_a_block(name)) return random_(name, shape);
      const Scheme& scheme = scheme_named(is_modulation(name) ? options_.modulation : options_.scheme);
      weights_[name] = quantize_on_device(random_(name, shape), *scheme.weights);
      return weight_stub(shape, device_);
    });
    for (const LayerGroup& group : out_.graph.groups) compress(group);
    return std::move(out_);
  }

 private:
  void compress(const LayerGroup& group) {
    const LinearSpec& first = out_.graph.linears[group.members.front()];
    if (!weights_.count(first.name + ".weight")) return;
    const int64_t columns = first.in_features();
    const Tensor smooth = random_fp32({columns}, 0.3).exp_().to(at::kBFloat16).to(at::kFloat);
    for (const std::vector<int>& branch : group.branches) {
      const Tensor down =
          random_fp32({options_.rank, columns}, 1.0 / std::sqrt(static_cast<double>(columns)));
      for (const int member : branch) {
        CompressedLinear linear = low_bit(out_.graph.linears[member]);
        if (first.role != Role::kAdaLn) {
          linear.smooth = smooth;
          linear.smooth_sharers = static_cast<int>(group.members.size());
          linear.branches.push_back(
              LowRankBranch{.down = down,
                            .up = random_fp32({linear.out_features(), options_.rank}, 0.1),
                            .sharers = static_cast<int>(branch.size())});
        }
        out_.compressed.linears.emplace(linear.name, std::move(linear));
      }
    }
  }

  CompressedLinear low_bit(const LinearSpec& spec) {
    const std::string& scheme = spec.role == Role::kAdaLn ? options_.modulation : options_.scheme;
    CompressedLinear linear{.name = spec.name, .bias = spec.bias.to(at::kFloat)};
    const std::optional<ActivationScheme>& activations = scheme_named(scheme).activations;
    // A scale for the whole token leaves nothing for segments to divide.
    const bool whole = activations && activations->tensor.grouping == Grouping::kRow;
    linear.branches.push_back(
        LowBitBranch{.weight = std::move(weights_.at(spec.name + ".weight")),
                     .activations = activations,
                     .segments = whole ? std::vector<Segment>{{0, spec.in_features(), Producer::kConcat}}
                                       : spec.segments});
    return linear;
  }

  // Normal numbers of that deviation, rounded to bf16.
  Tensor random_fp32(at::IntArrayRef shape, double deviation) const {
    return at::randn(shape, at::TensorOptions(at::kFloat).device(device_))
        .mul_(deviation)
        .to(at::kBFloat16)
        .to(at::kFloat);
  }

  ArtefactOptions options_;
  at::Device device_;
  TensorSource random_;
  std::map<std::string, QuantizedTensor> weights_;  // by checkpoint name
  RandomArtefact out_;
};

}  // namespace

RandomArtefact random_artefact(const FluxConfig& config, const ArtefactOptions& options, at::Device device) {
  return ArtefactBuilder(options, device).build(config);
}

}  // namespace svdlab
