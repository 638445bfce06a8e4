#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "core/runtime/fused_executor.h"

namespace svdlab::testing {

/// Every value of the reference's own run, by node, fp32 on the CPU.
std::vector<Tensor> reference_values(const Graph& graph, const CompressedModel& model,
                                     const NamedTensors& inputs);

struct WorstNode {
  std::string node;
  double margin = INFINITY, db = 0;  ///< SQNR above the gate; of that node
};

/// Each fused node on the reference's own inputs; the test fails where one is below its gate (least_sqnr_db).
WorstNode compare_nodes(const Graph& graph, const FusedExecutor& fused, const std::vector<Tensor>& values);

}  // namespace svdlab::testing
