#include "quant/keep_mask.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"

namespace svdlab {

Tensor keep_mask(const Tensor& importance, double share) {
  SVDLAB_REQUIRE(share >= 0 && share <= 1, Errc::kConfig, "the share of weights that stay in 16 bit is ",
                 share, ", must be 0 to 1");
  const Tensor flat = importance.to(at::kDouble).flatten().contiguous();
  SVDLAB_REQUIRE((flat.isfinite() & (flat >= 0)).all().item<bool>(), Errc::kInput, "the importance of a ",
                 importance.sizes(), " weight is not finite or negative somewhere; check the gradients");
  const int64_t count = flat.numel(), kept = std::llround(share * static_cast<double>(count));
  Tensor mask = at::zeros({count}, at::kBool);
  if (kept == 0) return mask.view(importance.sizes());
  std::vector<double> values(flat.data_ptr<double>(), flat.data_ptr<double>() + count);
  std::nth_element(values.begin(), values.begin() + (kept - 1), values.end(), std::greater<>());
  const double least = values[kept - 1];
  int64_t equals = kept - std::count_if(values.begin(), values.end(), [&](double v) { return v > least; });
  const double* value = flat.data_ptr<double>();
  bool* keep = mask.data_ptr<bool>();
  for (int64_t i = 0; i < count; ++i) keep[i] = value[i] > least || (value[i] == least && equals-- > 0);
  return mask.view(importance.sizes());
}

}  // namespace svdlab
