#include "experiments/train/train_config.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"

namespace svdlab {

double TrainConfig::learning_rate_at(int64_t step) const {
  const double rise =
      warmup > 0 ? std::min(1.0, static_cast<double>(step + 1) / static_cast<double>(warmup)) : 1.0;
  const int64_t left = steps - step;
  if (left >= decay) return learning_rate * rise;
  const double phase = 1.0 - static_cast<double>(left) / static_cast<double>(decay);
  return learning_rate * rise * 0.5 * (1.0 + std::cos(3.14159265358979323846 * phase));
}

TrainConfig parse_train_config(const Value& value) {
  TrainConfig c;
  Fields f(value, "");
  f.text("train", "");
  const Value* model = f.child("model");
  SVDLAB_REQUIRE(model != nullptr, Errc::kConfig, f.where(),
                 ": `model` is missing: the config.json of the network");
  c.model = *model;
  c.data = f.required_text("data");
  c.partial_data = f.boolean("partial_data", c.partial_data);
  c.batch = f.integer("batch", c.batch);
  c.steps = f.integer("steps", c.steps);
  c.warmup = f.integer("warmup", c.warmup);
  c.decay = f.integer("decay", c.decay);
  c.learning_rate = f.number("learning_rate", c.learning_rate);
  c.beta1 = f.number("beta1", c.beta1);
  c.beta2 = f.number("beta2", c.beta2);
  c.weight_decay = f.number("weight_decay", c.weight_decay);
  c.clip_norm = f.number("clip_norm", c.clip_norm);
  c.ema = f.number("ema", c.ema);
  c.label_drop = f.number("label_drop", c.label_drop);
  c.text_tokens = f.integer("text_tokens", c.text_tokens);
  c.seed = static_cast<uint64_t>(f.integer("seed", 0));
  c.teacher = f.text("teacher", "");
  c.guidance_low = f.number("guidance_low", c.guidance_low);
  c.guidance_high = f.number("guidance_high", c.guidance_high);
  c.log_every = f.integer("log_every", c.log_every);
  c.preview_count = f.integer("preview_count", c.preview_count);
  c.preview_steps = f.integer("preview_steps", c.preview_steps);
  if (const Value* list = f.child("preview_guidance"))
    for (const Value& item : list->items) c.preview_guidance.push_back(item.as_number("preview_guidance"));
  f.finish();
  SVDLAB_REQUIRE(c.batch > 0 && c.steps > 0 && c.log_every > 0, Errc::kConfig, value.where,
                 ": batch, steps and log_every must be positive, are ", c.batch, ", ", c.steps, ", ",
                 c.log_every);
  SVDLAB_REQUIRE(c.decay >= 0 && c.decay <= c.steps, Errc::kConfig, value.where, ": decay ", c.decay,
                 " must be in [0, steps = ", c.steps, "]");
  SVDLAB_REQUIRE(c.preview_count % 10 == 0, Errc::kConfig, value.where, ": preview_count ", c.preview_count,
                 " must be a multiple of 10: every class gets the same number");
  return c;
}

}  // namespace svdlab
