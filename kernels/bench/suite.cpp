#include "kernels/bench/suite.h"

#include <cstdio>
#include <vector>

#include "kernels/bench/baselines.h"
#include "kernels/bench/problems.h"
#include "kernels/gemm_exact.cuh"

namespace svdlab::bench {
namespace {

struct Shape {
  int64_t m, n, k;
};

constexpr Shape kLarge[] = {{4608, 3072, 3072},  {4608, 9216, 3072},  {4608, 12288, 3072},
                            {4608, 3072, 12288}, {4608, 3072, 15360}, {4608, 21504, 3072}};
constexpr Shape kFew[] = {{4608, 3072, 3072}, {4608, 12288, 3072}};

Stream cuda(cudaStream_t stream) { return {.device = Device::kCuda, .handle = stream}; }

// A problem that cannot be made becomes a row, too.
template <class Body>
void guarded(Timer& timer, Case c, Body body) {
  try {
    body();
  } catch (const std::exception& e) {
    const std::string message = e.what();
    c.run = [message](cudaStream_t) { throw Error(Errc::kUnexpected, message); };
    timer.time(c);
  }
}

void copy(Timer& timer) {
  constexpr int64_t kBytes = int64_t{1} << 30;
  const CudaBuffer from(kBytes), to(kBytes);
  timer.time_always(
      {.what = "copy", .variant = "device to device", .bytes = 2.0 * kBytes, .run = [&](cudaStream_t s) {
         SVDLAB_CUDA(cudaMemcpyAsync(to.data(), from.data(), kBytes, cudaMemcpyDeviceToDevice, s));
       }});
}

struct BaselineName {
  BaselineType type;
  const char* name;
  DataKind data;
  int bytes;
  float deviation;
  Unit unit;
};
constexpr BaselineName kBaselines[] = {
    {BaselineType::kBf16, "cublas bf16", DataKind::kBf16, 2, 1.0f, Unit::kBf16},
    {BaselineType::kFp8, "cublas fp8", DataKind::kE4M3, 1, 1.0f, Unit::kFp8},
    {BaselineType::kInt8, "cublas int8", DataKind::kInt8, 1, 30.0f, Unit::kInt8}};

void baseline(Timer& timer, const char* what, Shape s, const BaselineName& name) {
  const bool reference = name.type == BaselineType::kBf16;
  if (!reference && !timer.wants(what, name.name)) return;
  Case c{.what = what,
         .variant = name.name,
         .m = s.m,
         .n = s.n,
         .k = s.k,
         .operations = 2.0 * s.m * s.n * s.k,
         .unit = name.unit};
  c.bytes = static_cast<double>((s.m + s.n) * s.k * name.bytes + s.m * s.n * 2);
  guarded(timer, c, [&] {
    const CudaBuffer x(s.m * s.k * name.bytes), w(s.n * s.k * name.bytes), y(s.m * s.n * 4);
    fill_normal(x.data(), name.data, s.m, s.k, name.deviation, false, 1);
    fill_normal(w.data(), name.data, s.n, s.k, name.deviation, false, 2);
    const Baseline product(name.type, s.m, s.n, s.k, false, {x.data(), w.data(), y.data()}, timer.stream());
    c.run = [&](cudaStream_t stream) { product.run(stream); };
    reference ? timer.time_always(c) : timer.time(c);
  });
}

// What the low-rank branch costs as two more products.
void unfused_branch(Timer& timer, Shape s, int64_t rank) {
  Case c{.what = "branch", .variant = "cublas bf16 unfused", .m = s.m, .n = s.n, .k = s.k, .rank = rank};
  if (!timer.wants(c.what, c.variant)) return;
  c.unit = Unit::kBf16;
  c.operations = 2.0 * s.m * rank * (s.n + s.k);
  c.bytes = 2.0 * s.m * s.k + 4.0 * s.m * s.n;
  guarded(timer, c, [&] {
    const CudaBuffer x(s.m * s.k * 2), y(s.m * s.n * 2), down(rank * s.k * 2), up(s.n * rank * 2),
        low(s.m * rank * 2);
    fill_normal(x.data(), DataKind::kBf16, s.m, s.k, 1.0f, false, 1);
    fill_normal(down.data(), DataKind::kBf16, rank, s.k, 0.02f, false, 2);
    fill_normal(up.data(), DataKind::kBf16, s.n, rank, 0.02f, false, 3);
    fill_normal(y.data(), DataKind::kBf16, s.m, s.n, 1.0f, false, 4);
    const Baseline first(BaselineType::kBf16, s.m, rank, s.k, false, {x.data(), down.data(), low.data()},
                         timer.stream());
    const Baseline second(BaselineType::kBf16, s.m, s.n, rank, true, {low.data(), up.data(), y.data()},
                          timer.stream());
    c.run = [&](cudaStream_t stream) {
      first.run(stream);
      second.run(stream);
    };
    timer.time(c);
  });
}

Unit unit_of(MainLoop loop) {
  if (loop == MainLoop::kExact) return Unit::kFp8;
  return loop == MainLoop::kNvfp4 ? Unit::kBf16 : Unit::kInt8;
}

Case case_of(const LinearProblem& p, const char* what, std::string variant) {
  return {.what = what,
          .variant = std::move(variant),
          .m = p.m,
          .n = p.n,
          .k = p.k,
          .rank = p.rank,
          .operations = p.operations(),
          .bytes = static_cast<double>(p.a_codes.bytes()) + p.weight_bytes() + 2.0 * p.m * p.n,
          .unit = unit_of(p.loop)};
}

// The prologue alone, and behind what may come before it.
void prologue(Timer& timer, const LinearProblem& p, const std::string& variant, bool steps) {
  Case c = case_of(p, "prologue", variant);
  c.operations = 2.0 * p.m * p.k * p.rank;
  c.unit = Unit::kBf16;
  c.bytes =
      2.0 * p.m * p.k + static_cast<double>(p.a_codes.bytes() + p.a_scales.bytes() + p.low_rank.bytes());
  c.run = [&](cudaStream_t s) { quantize_fuse_down(p.quantize, cuda(s)); };
  timer.time(c);
  if (!steps) return;
  QuantizeFuseDown op = p.quantize;
  c.run = [&](cudaStream_t s) { quantize_fuse_down(op, cuda(s)); };
  op.step = InputStep::kGelu;
  c.variant = variant + " behind gelu";
  timer.time(c);
  op.step = InputStep::kLayerNormModulate;
  op.modulation = {.scale = op.x.bits.data, .shift = op.x.bits.data + p.k};
  c.variant = variant + " behind norm";
  timer.time(c);
}

constexpr int kClusterSizes[] = {1, 2};

// Whether the exact loop may use clusters.
bool clusters = true;

void multiply(const LinearProblem& p, cudaStream_t s) {
  Stream stream = cuda(s);
  if (p.workspace) stream.workspace = p.workspace->data(), stream.workspace_bytes = p.workspace->bytes();
  if (p.loop != MainLoop::kExact || clusters) return gemm_quantized(p.gemm, stream);
  detail::gemm_exact_cuda(p.gemm, 1, cuda(s));
}

void product(Timer& timer, const LinearProblem& p, const char* variant) {
  Case c = case_of(p, "gemm", variant);
  c.run = [&](cudaStream_t s) { multiply(p, s); };
  timer.time(c);
}

void whole(Timer& timer, const LinearProblem& p, const char* variant) {
  Case c = case_of(p, "linear", variant);
  c.run = [&](cudaStream_t s) {
    quantize_fuse_down(p.quantize, cuda(s));
    multiply(p, s);
  };
  timer.time(c);
}

void tilings(Timer& timer, const LinearProblem& p) {
  for (const int cluster : kClusterSizes) {
    if (cluster > 1 && !clusters) continue;
    Case c = case_of(p, "gemm", concat("exact, clusters of ", cluster));
    c.run = [&](cudaStream_t stream) { detail::gemm_exact_cuda(p.gemm, cluster, cuda(stream)); };
    timer.time(c);
  }
}

// Every tiling at rank 32, then the chosen one at the other ranks, its prologue, and both together.
void exact(Timer& timer, Shape s, bool all_ranks) {
  if (!timer.wants("gemm", "exact") && !timer.wants("prologue", "int4") && !timer.wants("linear", "exact"))
    return;
  for (const int64_t rank :
       all_ranks ? std::vector<int64_t>{32, 0, 16, 64, 128} : std::vector<int64_t>{32, 0}) {
    Case failed{.what = "gemm", .variant = "exact", .m = s.m, .n = s.n, .k = s.k, .rank = rank};
    guarded(timer, failed, [&] {
      const LinearProblem p(s.m, s.n, s.k, rank, MainLoop::kExact, NumberFormat::kInt4, NumberFormat::kInt4);
      if (rank == 32) tilings(timer, p);
      product(timer, p, "exact");
      prologue(timer, p, "int4", rank == 32 && s.n == 3072);
      whole(timer, p, "exact");
    });
  }
}

void other_loop(Timer& timer, Shape s, MainLoop loop, NumberFormat a, NumberFormat w, const char* variant) {
  if (!timer.wants("gemm", variant) && !timer.wants("prologue", variant) && !timer.wants("linear", variant))
    return;
  Case failed{.what = "gemm", .variant = variant, .m = s.m, .n = s.n, .k = s.k, .rank = 32};
  guarded(timer, failed, [&] {
    const LinearProblem p(s.m, s.n, s.k, 32, loop, a, w);
    product(timer, p, variant);
    prologue(timer, p, variant, false);
    whole(timer, p, variant);
  });
}

void small_m(Timer& timer, int64_t m, Shape s) {
  if (!timer.wants_kind("small_m")) return;
  baseline(timer, "small_m", {m, s.n, s.k}, kBaselines[0]);
  for (const NumberFormat format : {NumberFormat::kInt4, NumberFormat::kNf4}) {
    Case c{.what = "small_m",
           .variant = format == NumberFormat::kInt4 ? "w4a16 int4" : "w4a16 nf4",
           .m = m,
           .n = s.n,
           .k = s.k,
           .operations = 2.0 * m * s.n * s.k,
           .unit = Unit::kBf16};
    guarded(timer, c, [&] {
      const WeightOnlyProblem p(m, s.n, s.k, format);
      c.bytes = static_cast<double>(p.codes.bytes() + p.scales.bytes() + p.x.bytes() + p.out.bytes());
      c.run = [&](cudaStream_t stream) { gemm_weight_only(p.op, cuda(stream)); };
      timer.time(c);
    });
  }
}

void baselines(Timer& timer, Shape s) {
  if (!timer.wants_kind("gemm") && !timer.wants_kind("linear")) return;
  for (const BaselineName& name : kBaselines) baseline(timer, "gemm", s, name);
}

}  // namespace

bool exact_tilings_agree() {
  const LinearProblem p(300, 640, 1088, 48, MainLoop::kExact, NumberFormat::kInt4, NumberFormat::kInt4);
  std::vector<uint16_t> first, out(p.m * p.n);
  bool agree = true;
  for (const int cluster : kClusterSizes) {
    std::printf("exact, clusters of %d: ", cluster);
    std::fflush(stdout);
    SVDLAB_CUDA(cudaMemset(p.out.data(), 0xff, 2 * p.m * p.n));
    detail::gemm_exact_cuda(p.gemm, cluster, cuda(nullptr));
    p.out.copy_to(out.data(), 2 * p.m * p.n);
    if (first.empty()) first = out;
    agree = agree && out == first;
    std::printf("%s\n", out == first ? "done" : "differs from the first");
    std::fflush(stdout);
  }
  return agree;
}

void run_suite(const Selection& selection, const std::function<void(const Measurement&)>& report) {
  check_selection(selection);
  const std::string problem = cuda_device_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, "benchmarks need a GPU: ", problem);
  clusters = selection.clusters;
  Timer timer(selection, report);
  copy(timer);
  const std::vector<Shape> shapes(std::begin(kLarge),
                                  selection.quick ? std::begin(kLarge) + 1 : std::end(kLarge));
  for (const Shape s : shapes) {
    baselines(timer, s);
    exact(timer, s, !selection.quick && s.n == 12288);
    unfused_branch(timer, s, 32);
  }
  for (const int64_t m : {1, 4, 16}) small_m(timer, m, {m, 12288, 3072});
  for (const Shape s : kFew) {
    if (selection.quick && s.n != kLarge[0].n) break;
    other_loop(timer, s, MainLoop::kInt8, NumberFormat::kInt8, NumberFormat::kInt8, "w8a8");
    other_loop(timer, s, MainLoop::kInt8, NumberFormat::kInt8, NumberFormat::kInt4, "w4a8");
    other_loop(timer, s, MainLoop::kNvfp4, NumberFormat::kFp4E2M1, NumberFormat::kFp4E2M1, "nvfp4");
  }
  if (!selection.quick)
    other_loop(timer, kLarge[0], MainLoop::kMmaS4, NumberFormat::kInt4, NumberFormat::kInt4,
               "mma_s4 (emulated)");
}

}  // namespace svdlab::bench
