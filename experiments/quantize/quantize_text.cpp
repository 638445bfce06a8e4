#include "experiments/quantize/quantize_text.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include "core/base/error.h"
#include "experiments/quantize/bytes_text.h"
#include "experiments/quantize/memory_meter.h"
#include "experiments/quantize/output_folder.h"

namespace svdlab {
namespace {

void print_names(const char* what, const std::vector<std::string>& names) {
  constexpr size_t kShown = 20;
  if (names.empty()) return;
  std::cout << names.size() << ' ' << what << ":\n";
  for (size_t i = 0; i < std::min(kShown, names.size()); ++i) std::cout << "  " << names[i] << "\n";
  if (names.size() > kShown) std::cout << "  ... and " << names.size() - kShown << " more\n";
}

std::string gpu_text(const MemoryPlan& memory) {
  if (memory.gpus == 0) return "";
  return concat("gpu     at most ", bytes_text(memory.gpu_bytes()), " for tensors on each of ", memory.gpus,
                memory.gpus == 1 ? " device: " : " devices: ", bytes_text(memory.per_gpu_worker),
                " a worker\n");
}

}  // namespace

void print_plan(const Graph& graph, const QuantizePlan& plan, const MemoryPlan& memory,
                const std::string& finished, const std::string& out, int ranks) {
  int64_t all = 0, open = 0;
  for (size_t i = 0; i < plan.jobs.size(); ++i) {
    const int64_t bytes = job_disk(graph, plan.jobs[i]);
    all += bytes;
    if (finished[i] == '0') open += bytes;
  }
  const int64_t free = free_bytes(out);
  std::cout << rules_text(graph, plan) << "\nunits   " << plan.jobs.size() << ", "
            << std::count(finished.begin(), finished.end(), '1') << " of them finished; largest "
            << memory.largest << "\nmemory  at most " << bytes_text(memory.bytes()) << " anonymous"
            << (ranks > 1 ? concat(" in each of ", ranks, " processes") : "") << ": " << memory.workers
            << " x " << bytes_text(memory.per_worker) << " + " << bytes_text(memory.constant()) << " ("
            << bytes_text(available_bytes()) << " available)\n"
            << gpu_text(memory) << "disk    at most " << bytes_text(all) << " in " << out << ", "
            << bytes_text(open) << " of them still to write (" << bytes_text(free) << " free)\n"
            << std::flush;
  SVDLAB_REQUIRE(open <= free, Errc::kResource, out, ": needs ", bytes_text(open), " (", open,
                 " bytes) of disk, ", bytes_text(free), " (", free, " bytes) are free");
}

void print_unmatched(const Unmatched& unmatched) {
  print_names("linears that no rule matches", unmatched.linears);
  print_names("patterns that match no linear", unmatched.patterns);
  SVDLAB_REQUIRE(unmatched.linears.empty() && unmatched.patterns.empty(), Errc::kConfig,
                 "the plan does not fit the model: ", unmatched.linears.size(),
                 " linears that no rule matches, ", unmatched.patterns.size(),
                 " patterns that match no linear");
}

void print_result(const std::string& out, const MemoryPlan& memory, int64_t peak, double seconds) {
  const CompressedFolder folder(out);
  double bits = 0, weights = 0;
  for (const std::string& name : folder.names()) {
    const StoredLinear& linear = folder.linear(name);
    bits += linear.bits();
    weights += static_cast<double>(linear.out_features) * static_cast<double>(linear.in_features);
  }
  std::cout << folder.names().size() << " linears, "
            << std::round(1000 * bits / std::max(1.0, weights)) / 1000 << " bits/weight, in " << out << "\n"
            << std::round(10 * seconds) / 10 << " s; peak anonymous memory " << bytes_text(peak) << " of "
            << bytes_text(memory.bytes()) << " planned\n";
}

}  // namespace svdlab
