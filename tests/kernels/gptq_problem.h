#pragma once
#include <cmath>

#include "core/base/rng.h"
#include "kernels/gptq_block.h"
#include "tests/kernels/memory.h"

namespace svdlab::testing {

/// A weight half way through GPTQ; scales are powers of two from 1/4 on.
struct GptqProblem {
  int64_t channels = 256, rows = 70, group = 16;
  NumberFormat format = NumberFormat::kInt4;
  bool coupled = true, one_row_of_scales = false;

  double value(int64_t place, int64_t row) const {
    return 6 * (Rng(0, "weight").uniform(static_cast<uint64_t>(place * rows + row)) - 0.5);
  }

  GptqBlock call(Memory& memory, int64_t begin, int64_t end) const {
    std::vector<int64_t> order(channels);
    std::vector<double> upper(channels * channels), rest(channels * rows);
    const Rng rng(0, "factor");
    for (int64_t j = 0; j < channels; ++j) {
      order[j] = j * 5 % channels;  // 5 divides no size that tests use
      for (int64_t l = j; l < channels; ++l) {
        const double u = rng.uniform(static_cast<uint64_t>(j * channels + l));
        upper[j * channels + l] = l == j ? 0.5 + u : coupled ? 0.2 * (u - 0.5) : 0;
      }
      for (int64_t n = 0; n < rows; ++n) rest[j * rows + n] = value(j, n);
    }
    const int64_t scale_rows = one_row_of_scales ? 1 : rows, groups = channels / group;
    std::vector<float> scales(scale_rows * groups);
    for (size_t i = 0; i < scales.size(); ++i) scales[i] = std::exp2f(static_cast<float>(i % 3) - 2);
    return {.begin = begin,
            .end = end,
            .order = memory.put(order),
            .upper = {memory.put(upper), channels, channels},
            .rest = {memory.put(rest), channels, rows},
            .errors = {memory.poisoned<double>((end - begin) * rows), end - begin, rows},
            .codes = {memory.put(std::vector<uint8_t>(rows * channels, 0xee)), rows, channels},
            .format = format,
            .scales = {memory.put(scales), scale_rows, groups},
            .group = group,
            .tensor_scale = 0.75f};
  }
};

}  // namespace svdlab::testing
