#include "experiments/train/replica.h"

#include <ATen/CPUGeneratorImpl.h>

#include "core/base/rng.h"
#include "core/io/safetensors.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "experiments/sampling/latents.h"
#include "experiments/sampling/schedule.h"
#include "experiments/train/initial_weights.h"

namespace svdlab {
namespace {

constexpr int64_t kSide = 32, kTokens = kSide * kSide / 4, kChannels = 12;

at::Generator generator_for(at::Device device, uint64_t seed) {
  if (device.is_cpu()) return at::detail::createCPUGenerator(seed);
  at::Generator generator = at::globalContext().defaultGenerator(device);
  generator.set_current_seed(seed);
  return generator;
}

Graph graph_on(const FluxConfig& flux, const std::function<Tensor(const std::string&)>& tensor) {
  return build_flux(flux, [&](const std::string& name, at::IntArrayRef) { return tensor(name); });
}

}  // namespace

Replica::Replica(const TrainConfig& config, const std::vector<std::pair<std::string, Tensor>>& initial,
                 const LabelledImages& data, at::Device device)
    : config_(config),
      flux_(parse_flux_config(config.model)),
      device_(device),
      data_{data.images.to(device), data.labels.to(device)},
      image_ids_(image_ids(kSide, kSide, at::TensorOptions(device).dtype(at::kFloat))),
      text_ids_(at::zeros({config.text_tokens, 3}, image_ids_.options())),
      parameters_(initial, device),
      graph_(graph_on(flux_, [&](const std::string& name) { return parameters_.leaf(name); })),
      executor_(std::make_unique<Executor>(graph_)),
      optimizer_(parameters_.flat()) {
  if (config.teacher.empty()) return;
  teacher_graph_ = std::make_unique<Graph>(load_model(config.teacher).graph);
  teacher_graph_->for_each_tensor([&](const std::string&, Tensor& t) { t = t.to(device); });
  teacher_ = std::make_unique<Executor>(*teacher_graph_);
  const Conditioning conditioning = load_conditioning(config.teacher);
  teacher_tokens_ = conditioning.tokens.to(device);
  teacher_pooled_ = conditioning.pooled.to(device);
}

Replica::Batch Replica::draw(int64_t count, at::Generator& generator) const {
  const at::TensorOptions real = image_ids_.options();
  const Tensor index = at::randint(0, data_.labels.size(0), {count}, generator, real.dtype(at::kLong));
  Tensor images = data_.images.index_select(0, index).to(at::kFloat) / 127.5 - 1.0;
  const Tensor flip = at::rand({count, 1, 1, 1}, generator, real) < 0.5;
  const Tensor clean = pack_latents(at::where(flip, images.flip({3}), images));
  const Tensor sigma = at::sigmoid(at::randn({count}, generator, real));
  const Tensor noise = at::randn(clean.sizes(), generator, real);
  const Tensor s = sigma.view({-1, 1, 1});
  Tensor labels = data_.labels.index_select(0, index);
  if (config_.teacher.empty())
    labels =
        at::where(at::rand({count}, generator, real) < config_.label_drop, at::full_like(labels, 10), labels);
  return {(1.0 - s) * clean + s * noise, noise - clean, labels, sigma};
}

NamedTensors Replica::inputs(const Tensor& tokens, const Tensor& labels, const Tensor& sigma,
                             const Tensor& guidance, const Tensor& token_table,
                             const Tensor& pooled_table) const {
  NamedTensors in{{"hidden_states", tokens},
                  {"encoder_hidden_states", token_table.index_select(0, labels)},
                  {"pooled_projections", pooled_table.index_select(0, labels)},
                  {"timestep", sigma},
                  {"img_ids", image_ids_},
                  {"txt_ids", text_ids_}};
  if (guidance.defined()) in["guidance"] = guidance;
  return in;
}

Replica::Gradient Replica::gradient(int64_t step, int64_t shard, int64_t count) {
  const Rng stream(config_.seed, concat("train/", step, "/", shard));
  at::Generator generator = generator_for(device_, stream.bits(0));
  Batch batch = draw(count, generator);
  Tensor guidance;
  if (teacher_ != nullptr) {
    const NoGradGuard no_grad;
    const double low = config_.guidance_low, high = config_.guidance_high;
    guidance = at::rand({count}, generator, image_ids_.options()) * (high - low) + low;
    const auto predict = [&](const Tensor& labels) {
      return teacher_->run(inputs(batch.noisy, labels, batch.sigma, {}, teacher_tokens_, teacher_pooled_))
          .to(at::kFloat);
    };
    const Tensor free = predict(at::full_like(batch.labels, 10));
    batch.target = free + guidance.view({-1, 1, 1}) * (predict(batch.labels) - free);
  }
  const Tensor out = executor_->run(inputs(batch.noisy, batch.labels, batch.sigma, guidance,
                                           parameters_.leaf(kTokensName), parameters_.leaf(kPooledName)));
  const Tensor loss = (out.to(at::kFloat) - batch.target).square().mean();
  loss.backward();
  return {parameters_.take_gradient(), loss.detach()};
}

Tensor Replica::sample(int64_t count, int64_t steps, double guidance) {
  const NoGradGuard no_grad;
  std::map<std::string, Tensor> weights;
  for (const auto& [name, tensor] : parameters_.unflatten(optimizer_.average)) weights[name] = tensor;
  const Graph graph = graph_on(flux_, [&](const std::string& name) { return weights.at(name); });
  const Executor executor(graph);
  std::vector<Tensor> noise;
  for (int64_t i = 0; i < count; ++i)
    noise.push_back(item_noise(config_.seed, "preview/" + std::to_string(i), kTokens, kChannels));
  Tensor x = at::cat(noise).to(device_);
  const Tensor labels = at::arange(count, data_.labels.options()) % 10;
  const Tensor scale = flux_.guidance_embeds ? at::full({count}, guidance, image_ids_.options()) : Tensor();
  const std::vector<double> sigmas = flux_sigmas(steps, kTokens);
  for (int64_t i = 0; i < steps; ++i) {
    const Tensor sigma = at::full({count}, sigmas[i], image_ids_.options());
    const auto predict = [&](const Tensor& who) {
      return executor.run(inputs(x, who, sigma, scale, weights.at(kTokensName), weights.at(kPooledName)))
          .to(at::kFloat);
    };
    Tensor v = predict(labels);
    if (!flux_.guidance_embeds && guidance != 1.0) {
      const Tensor free = predict(at::full_like(labels, 10));
      v = free + guidance * (v - free);
    }
    x = x + (sigmas[i + 1] - sigmas[i]) * v;
  }
  return unpack_latents(x, kSide, kSide);
}

}  // namespace svdlab
