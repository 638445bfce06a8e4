#include "experiments/train/trainer.h"

#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "experiments/train/initial_weights.h"
#include "experiments/train/replica.h"
#include "experiments/train/train_state.h"

namespace svdlab {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::map<std::string, Tensor> start_from(const TrainConfig& config) {
  std::map<std::string, Tensor> out;
  if (config.teacher.empty()) return out;
  Model teacher = load_model(config.teacher);
  teacher.graph.for_each_tensor([&](const std::string& name, Tensor& t) { out[name] = t; });
  const Conditioning conditioning = load_conditioning(config.teacher);
  out[kTokensName] = conditioning.tokens;
  out[kPooledName] = conditioning.pooled;
  return out;
}

/// The replicas' steps in lockstep: each adds up all gradients in the same order, so the copies stay
/// bit-equal.
class Lockstep {
 public:
  Lockstep(const TrainConfig& config, const TrainOptions& options,
           std::vector<std::unique_ptr<Replica>>& replicas, TrainState& state)
      : config_(config),
        options_(options),
        replicas_(replicas),
        state_(state),
        gradients_(replicas.size()),
        barrier_(static_cast<std::ptrdiff_t>(replicas.size())) {}

  void run() {
    start_ = Clock::now();
    const int count = static_cast<int>(replicas_.size());
    parallel_for(count, count, [&](int64_t shard, int) {
      try {
        work(shard);
      } catch (...) {
        stop_ = true;  // the others leave at their next step instead of waiting for this one
        barrier_.arrive_and_drop();
        throw;
      }
    });
  }

 private:
  void work(int64_t shard) {
    Replica& replica = *replicas_[shard];
    const int64_t share = config_.batch / static_cast<int64_t>(replicas_.size());
    Tensor loss_sum;
    int64_t logged_step = state_.step;
    Clock::time_point logged_at = start_;
    for (int64_t step = state_.step; step < config_.steps && !stop_; ++step) {
      const Replica::Gradient g = replica.gradient(step, shard, share);
      gradients_[shard] = g.gradient;
      barrier_.arrive_and_wait();
      Tensor sum = gradients_[0].to(replica.device()).clone();
      for (size_t other = 1; other < gradients_.size(); ++other)
        sum.add_(gradients_[other].to(replica.device()));
      replica.apply(step, sum.div_(static_cast<double>(gradients_.size())));
      if (shard == 0) {
        loss_sum = loss_sum.defined() ? loss_sum + g.loss : g.loss;
        if ((step + 1) % config_.log_every == 0 || step + 1 == config_.steps)
          log(step + 1, loss_sum, logged_step, logged_at);
      }
      barrier_.arrive_and_wait();
    }
  }

  /// Runs between the two barriers of a step on the first replica, so the others see `stop_` before their
  /// next step.
  void log(int64_t done, Tensor& loss_sum, int64_t& logged_step, Clock::time_point& logged_at) {
    const double loss = loss_sum.item<double>() / static_cast<double>(done - logged_step);
    SVDLAB_REQUIRE(std::isfinite(loss), Errc::kUnexpected, "training diverged: loss ", loss, " at step ",
                   done, "; lower learning_rate (", config_.learning_rate, ")");
    const double rate = static_cast<double>((done - logged_step) * config_.batch) / seconds_since(logged_at);
    state_.log_step.push_back(done);
    state_.log_loss.push_back(loss);
    state_.log_rate.push_back(config_.learning_rate_at(done - 1));
    state_.log_images_per_second.push_back(rate);
    std::fprintf(stderr, "step %lld/%lld loss %.5f lr %.2e %.0f images/s %.0f s\n",
                 static_cast<long long>(done), static_cast<long long>(config_.steps), loss,
                 state_.log_rate.back(), rate, seconds_since(start_));
    loss_sum = Tensor();
    logged_step = done;
    logged_at = Clock::now();
    state_.step = done;
    if (options_.stop_after_seconds > 0 && seconds_since(start_) > options_.stop_after_seconds) stop_ = true;
  }

  const TrainConfig& config_;
  const TrainOptions& options_;
  std::vector<std::unique_ptr<Replica>>& replicas_;
  TrainState& state_;
  std::vector<Tensor> gradients_;
  std::barrier<> barrier_;
  Clock::time_point start_;
  std::atomic<bool> stop_{false};
};

/// Samples of the averaged weights as raw bytes, one file per guidance, for whoever measures them.
void write_previews(const TrainConfig& config, const TrainOptions& options, Replica& replica) {
  if (config.preview_count == 0) return;
  make_directories(options.out + "/preview");
  for (const double guidance : config.preview_guidance) {
    const Tensor pixels = replica.sample(config.preview_count, config.preview_steps, guidance);
    const Tensor bytes = ((pixels + 1.0) * 127.5).round().clamp(0, 255).to(at::kByte).cpu();
    char name[64];
    std::snprintf(name, sizeof name, "/preview/guidance_%.2f.safetensors", guidance);
    save_safetensors(options.out + name,
                     {{.name = "images", .tensor = bytes},
                      {.name = "labels", .tensor = at::arange(config.preview_count, at::kLong) % 10}});
  }
}

}  // namespace

int64_t train(const TrainConfig& config, const TrainOptions& options) {
  const int64_t devices = static_cast<int64_t>(options.devices.size());
  SVDLAB_REQUIRE(devices > 0 && config.batch % devices == 0, Errc::kConfig, "batch ", config.batch,
                 " does not split over ", devices, " devices; use a multiple");
  const LabelledImages data = load_cifar10(config.data, config.partial_data);
  const auto initial = initial_weights(config, parse_flux_config(config.model), start_from(config));
  std::vector<std::unique_ptr<Replica>> replicas;
  TrainState state;
  for (const std::string& device : options.devices) {
    replicas.push_back(std::make_unique<Replica>(config, initial, data, at::Device(device)));
    state = load_state(options.out, *replicas.back());
  }
  std::fprintf(stderr, "train: %lld parameters, %lld images, %lld device(s), from step %lld\n",
               static_cast<long long>(replicas[0]->parameters().count()),
               static_cast<long long>(data.labels.size(0)), static_cast<long long>(devices),
               static_cast<long long>(state.step));
  const Clock::time_point start = Clock::now();
  Lockstep(config, options, replicas, state).run();
  state.seconds += seconds_since(start);
  save_state(options.out, state, *replicas[0]);
  save_model(options.out, config, state, *replicas[0]);
  write_previews(config, options, *replicas[0]);
  return state.step;
}

}  // namespace svdlab
