#include "lowrank/input_moments.h"

namespace svdlab {

InputMoments input_moments(const ActivationStats& stats, const OnlineTransform& online,
                           const TokenSample& sample, const Tensor& down) {
  const double scale = static_cast<double>(sample.smoothed.size(0)) / static_cast<double>(stats.tokens);
  const Tensor wide = down.to(at::kDouble).t();  // [K, rank]
  const Tensor& smooth = online.smooth;
  const auto unsmoothed = [&](const Tensor& m) {
    return smooth.defined() ? m / smooth.to(at::kDouble).unsqueeze(1) : m;
  };
  InputMoments out;
  if (online.then.empty())
    out.input = unsmoothed(stats.gram.matmul(unsmoothed(wide)) * scale);
  else
    out.input = online.gram(stats.gram).matmul(wide) * scale;
  out.latent = wide.t().matmul(out.input);
  out.quantized = out.input;
  if (!sample.quantized.is_same(sample.smoothed)) {
    const Tensor latent = at::matmul(sample.smoothed, down.t());
    out.quantized = out.input + (sample.quantized - sample.smoothed).t().matmul(latent).to(at::kDouble);
  }
  return out;
}

}  // namespace svdlab
