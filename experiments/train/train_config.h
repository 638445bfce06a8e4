#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/models/flux.h"

namespace svdlab {

/// A training run as data; the YAML keys are the field names. Learning rate: linear warm-up, constant, then a
/// cosine down to zero over the last `decay` steps.
struct TrainConfig {
  Value model = Value::map();  ///< config.json of the model to train
  std::string data;            ///< CIFAR-10 folder, see cifar10.h
  bool partial_data = false;   ///< accept missing sheets
  int64_t batch = 1024;        ///< images a step, over all devices
  int64_t steps = 20000;
  int64_t warmup = 500;
  int64_t decay = 5000;
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.99;
  double weight_decay = 0.0;
  double clip_norm = 1.0;
  double ema = 0.9995;
  double label_drop = 0.1;  ///< share of items trained as "no class"
  int64_t text_tokens = 4;  ///< rows of the class token table
  uint64_t seed = 0;
  std::string teacher;  ///< folder: distil its classifier-free guidance instead of fitting the data
  double guidance_low = 1.0, guidance_high = 4.0;  ///< range of guidance a student learns
  int64_t log_every = 50;
  int64_t preview_count = 0;  ///< samples drawn from the averaged weights at the end, a multiple of 10
  int64_t preview_steps = 30;
  std::vector<double> preview_guidance;

  double learning_rate_at(int64_t step) const;
};

/// Throws kConfig for unknown keys and impossible values.
TrainConfig parse_train_config(const Value& value);

}  // namespace svdlab
