#pragma once
#include <utility>

#include "core/ir/tensor.h"

namespace svdlab {

/// The two sets of features [60, 6] of tests/golden/make_folder_metrics.py.
inline std::pair<Tensor, Tensor> feature_sets() {
  const Tensor i = at::arange(60, at::kDouble).unsqueeze(1), j = at::arange(6, at::kDouble).unsqueeze(0);
  const Tensor a = (i * (j + 1) * 0.7).sin() + j * 0.3;
  return {a, a * 0.9 + (i * (j + 2) * 0.3).cos() * 0.2 + i.remainder(5) * 0.04};
}

}  // namespace svdlab
