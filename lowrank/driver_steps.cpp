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

Tensor dequantize_members(const std::vector<QuantizedTensor>& members) {
  std::vector<Tensor> rows;
  for (const QuantizedTensor& q : members) rows.push_back(dequantize(q));
  return rows.size() == 1 ? rows.front() : at::cat(rows);
}

}  // namespace svdlab
