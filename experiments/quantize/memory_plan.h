#pragma once
#include <string>
#include <vector>

#include "experiments/quantize/quantize_plan.h"

namespace svdlab {

/// How much anonymous memory one process of the run may use, and what decides it.
struct MemoryPlan {
  int workers = 1;
  int64_t per_worker = 0;  ///< bytes; job_memory() of the largest job
  std::string largest;     ///< file of that job
  int gpus = 0;
  int64_t per_gpu_worker = 0;  ///< bytes of GPU memory; the largest job_gpu_memory()

  int64_t bytes() const { return workers * per_worker + constant(); }
  int64_t constant() const { return kConstant + (gpus > 0 ? kGpuLibraries : 0); }
  /// Of the memory of each GPU, as far as tensors take it.
  int64_t gpu_bytes() const { return gpus == 0 ? 0 : (workers + gpus - 1) / gpus * per_gpu_worker; }

  static constexpr int64_t kConstant = int64_t{1} << 30;      ///< program, libraries, graph
  static constexpr int64_t kGpuLibraries = int64_t{2} << 30;  ///< what CUDA keeps on the CPU's side
};

/// What a run asks for.
struct MemoryRequest {
  bool statistics = false;
  int64_t ranges = 0;  ///< of timesteps, that the statistics tell apart
  int threads = 0;     ///< workers; 0: as many as cores, jobs and memory allow, on GPUs one for each
  int gpus = 0;        ///< 0: the CPU does the work
  int sharers = 1;     ///< processes like this one on the machine
};

/// What a job may hold: 6 x its weights in fp32 and, with statistics, 2 x its Gram matrix in fp32; 6 x more
/// of that (three in fp64) where the transform is not a division alone, and what is finished of each range of
/// timesteps: a byte for a code, and at most a quarter for scales.
int64_t job_memory(const Graph& graph, const CompressionJob& job, const MemoryRequest& request);

/// The same of GPU memory: 16 x its weights in fp32, 3 x its Gram matrix in fp64 and those of the ranges, and
/// 256 MiB for tokens and small things.
int64_t job_gpu_memory(const Graph& graph, const CompressionJob& job, const MemoryRequest& request);

/// kResource when a number of workers that was asked for may need more than is available.
MemoryPlan plan_memory(const Graph& graph, const std::vector<CompressionJob>& jobs,
                       const MemoryRequest& request);

}  // namespace svdlab
