#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/ir/compressed.h"
#include "core/ir/graph.h"
#include "core/runtime/graph_runner.h"

namespace svdlab {

// What runs the quantized model of a cell:
//   reference  libtorch and the kernels' CPU side, one op after the other, fp32 sums
//   fused-cpu  the plan of the fused kernels on their CPU side: slow, for tests and for looking at the plan
//   cuda       the fused kernels on a GPU

inline constexpr const char* kReferenceBackend = "reference";

const std::vector<std::string>& backend_names();
/// One line about a backend of that list, and why it cannot be used here where it cannot.
std::string backend_summary(const std::string& name);

class FusedExecutor;

/// A cell's quantized model on one backend.
struct Backend {
  std::unique_ptr<GraphRunner> runner;
  const FusedExecutor* fused = nullptr;  ///< the same, unless it is the reference
  std::string device;                    ///< "cpu", or the GPU's name
};

/// kConfig with the reason ("built without CUDA") where the backend cannot be used.
void require_backend(const std::string& name);

/// @param graph, model  must outlive the result.  @param threads  that pack weights.
Backend make_backend(const std::string& name, const Graph& graph, const CompressedModel& model, int threads);

}  // namespace svdlab
