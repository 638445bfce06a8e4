#include "lowrank/driver_steps.h"

namespace svdlab {

Tensor stacked_weights(const DriverProblem& problem) {
  return problem.weights.size() == 1 ? problem.weights.front() : at::cat(problem.weights);
}

std::vector<QuantizedTensor> quantize_members(const DriverProblem& problem, const Tensor& stacked) {
  std::vector<QuantizedTensor> out;
  int64_t row = 0;
  for (const Tensor& w : problem.weights) {
    out.push_back(
        problem.quantizer->quantize(stacked.slice(0, row, row + w.size(0)), problem.scheme, problem.context));
    row += w.size(0);
  }
  return out;
}

Tensor refitted_up(const Tensor& weights, const Tensor& low_bit, const LowRankFactors& factors,
                   const InputMoments& m) {
  constexpr double kDamping = 1e-6;  // of the latent's mean energy
  const Tensor up = factors.up.to(at::kDouble);
  const auto times = [](const Tensor& w, const Tensor& moment) {
    return at::matmul(w, moment.to(at::kFloat)).to(at::kDouble);
  };
  // W A - Q B = (W - Q) A - Q (B - A): differences first, they are small.
  const Tensor wanted = times(weights - low_bit, m.input) - times(low_bit, m.quantized - m.input);
  const double mean = m.latent.diagonal().mean().item<double>();
  const Tensor damped = m.latent + at::eye(m.latent.size(0), m.latent.options()) * (kDamping * mean);
  const auto [factor, info] = at::linalg_cholesky_ex(damped);
  if (!(mean > 0) || info.item<int>() != 0) return factors.up;
  const Tensor change = at::cholesky_solve((wanted - up.matmul(m.latent)).t(), factor).t();
  return (up + change).to(at::kFloat).to(at::kBFloat16).to(at::kFloat);
}

Tensor dequantize_members(const std::vector<QuantizedTensor>& members) {
  std::vector<Tensor> rows;
  for (const QuantizedTensor& q : members) rows.push_back(dequantize(q));
  return rows.size() == 1 ? rows.front() : at::cat(rows);
}

}  // namespace svdlab
