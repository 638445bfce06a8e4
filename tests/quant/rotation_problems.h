#pragma once
#include <string>
#include <utility>
#include <vector>

#include "quant/group_problem.h"
#include "tests/support/support.h"

namespace svdlab::testing {

/// A group of two linears whose input has two K ranges, the second behind GELU.
struct RotationGroup {
  explicit RotationGroup(const Tensor& x) : x(x) {
    const int64_t channels = x.size(1);
    stats.add(x, at::arange(x.size(0)));
    problem.name = "group";
    problem.linear_names = {"first", "second"};
    problem.weights = {random_tensor({24, channels}, "rotation-a"),
                       random_tensor({40, channels}, "rotation-b")};
    problem.branches = {{0, 1}};
    problem.segments = {{0, 64, Producer::kAttention}, {64, channels, Producer::kGelu}};
    problem.scheme = scheme_named("int4");
    problem.stats = &stats;
  }
  RotationGroup(const RotationGroup&) = delete;

  Tensor x;
  ActivationStats stats;
  GroupProblem problem;
};

/// Inputs that break what is careless: [48, 192] fp32 each.
inline std::vector<std::pair<std::string, Tensor>> hard_inputs() {
  const Tensor noise = random_tensor({48, 192}, "rotation-x");
  Tensor one = noise.clone(), token = noise.clone();
  one.select(1, 70).mul_(1000);
  token.select(0, 3).mul_(1000);
  return {{"noise", noise},
          {"zero", at::zeros({48, 192})},
          {"one outlier channel", one},
          {"one outlier token", token},
          {"graded", noise * at::logspace(-4, 4, 192)},
          {"rank one", at::outer(noise.select(1, 0), noise[0])},
          {"constant", at::full({48, 192}, 3.0f)},
          {"tiny", noise * 1e-30f},
          {"large", noise * 1e30f}};
}

}  // namespace svdlab::testing
