#include "kernels/gemm_quantized.h"

#include <cmath>

#include "core/base/error.h"
#include "kernels/cuda_device.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

bool coded_as(const PackedMatrix& m, NumberFormat format, ScaleFormat scale, int64_t group) {
  return m.format == format && m.scale == scale && m.group == group;
}

void check_pair(const PackedMatrix& a, const PackedMatrix& w) {
  const int64_t k = a.cols;
  const bool a8 = coded_as(a, NumberFormat::kInt8, ScaleFormat::kFp32, k);
  const bool w4 = coded_as(w, NumberFormat::kInt4, ScaleFormat::kBf16, 64);
  const bool served = (w4 && (a8 || coded_as(a, NumberFormat::kInt4, ScaleFormat::kBf16, 64))) ||
                      (a8 && coded_as(w, NumberFormat::kInt8, ScaleFormat::kFp32, k)) ||
                      (coded_as(a, NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16) &&
                       coded_as(w, NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16));
  SVDLAB_REQUIRE(
      served, Errc::kConfig, "gemm_quantized: activations ", format_name(a.format), " with ",
      format_name(a.scale), " scales in groups of ", a.group, " times weights ", format_name(w.format),
      " with ", format_name(w.scale), " scales in groups of ", w.group, " of ", k,
      " columns; served are int4 g64 x int4 g64, int8 x int4 g64, int8 x int8, e2m1 g16 x e2m1 g16");
}

void check_norm_rope(const NormRope& e, int64_t m, int64_t n) {
  SVDLAB_REQUIRE(e.heads >= 1 && e.head_dim >= 16 && e.head_dim <= 128 && e.head_dim % 16 == 0, Errc::kConfig,
                 "gemm_quantized: ", e.heads, " heads of ", e.head_dim,
                 " channels; heads must have 16 to 128 in steps of 16");
  SVDLAB_REQUIRE(n == 3 * e.heads * e.head_dim, Errc::kInput, "gemm_quantized: ", n,
                 " output columns for 3 x ", e.heads, " heads of ", e.head_dim, " channels");
  SVDLAB_REQUIRE(e.epsilon > 0 && std::isfinite(e.epsilon), Errc::kConfig, "gemm_quantized: epsilon ",
                 e.epsilon, " must be > 0");
  check_pointer(e.query_weight, "gemm_quantized: query_weight");
  check_pointer(e.key_weight, "gemm_quantized: key_weight");
  check_floats(e.table, m, e.head_dim, "gemm_quantized: rope table");
}

void check(const GemmQuantized& op) {
  const int64_t m = op.a.rows, n = op.w.rows, k = op.a.cols;
  check_problem(m, k, "gemm_quantized");
  SVDLAB_REQUIRE(op.w.cols == k, Errc::kInput, "gemm_quantized: the input has ", k,
                 " columns, the weights have ", op.w.cols);
  SVDLAB_REQUIRE(n >= 8 && n % 8 == 0, Errc::kConfig, "gemm_quantized: ", n,
                 " output columns; they must be a multiple of 8");
  check_pair(op.a, op.w);
  check_packed(op.a, "gemm_quantized: activations");
  check_packed(op.w, "gemm_quantized: weights");
  SVDLAB_REQUIRE(op.w.unsigned_from == -1, Errc::kInput, "gemm_quantized: weights are unsigned from column ",
                 op.w.unsigned_from);
  check_up(op.low_rank, op.up, m, n, "gemm_quantized");
  if (op.channel_scale) check_pointer(op.channel_scale, "gemm_quantized: channel_scale");
  if (op.bias) check_pointer(op.bias, "gemm_quantized: bias");
  SVDLAB_REQUIRE(!op.next || !op.norm_rope, Errc::kConfig,
                 "gemm_quantized: one epilogue at a time, GELU or norm and rope");
  if (!op.next || op.out.bits.data) check_half(op.out, m, n, "gemm_quantized: out");
  if (op.next) check_quantize_target(*op.next, op.out.type, m, n, "gemm_quantized: next");
  if (op.norm_rope) check_norm_rope(*op.norm_rope, m, n);
}

// The loop that serves on this GPU; its operands are what it reads.
MainLoop loop_for(const GemmQuantized& op) {
  require_gpu("gemm_quantized");
  const LoopProblem problem = loop_problem(op);
  const int architecture = cuda_architecture();
  if (!op.main_loop) {
    const LoopDecision decision = choose_main_loop(problem, architecture);
    SVDLAB_REQUIRE(decision.chosen, Errc::kConfig, "gemm_quantized: no main loop: ", decision.to_string());
    return *decision.chosen;
  }
  const auto reason = why_declined(*op.main_loop, problem, architecture);
  SVDLAB_REQUIRE(!reason, Errc::kConfig, "gemm_quantized: main loop ", to_string(*op.main_loop),
                 " cannot serve: ", *reason);
  return *op.main_loop;
}

void check_layouts(const GemmQuantized& op, MainLoop loop) {
  const LoopLayouts needed = layouts_of(loop, op.w.format);
  const auto require = [&](CodeLayout has, CodeLayout needs, const char* what) {
    SVDLAB_REQUIRE(has == needs, Errc::kConfig, "gemm_quantized: main loop ", to_string(loop), " reads ",
                   what, " in ", to_string(needs), ", they are in ", to_string(has));
  };
  require(op.a.layout, needed.activations, "activations");
  require(op.w.layout, needed.weights, "weights");
  SVDLAB_REQUIRE(loop != MainLoop::kExact || (op.a.row_powers && op.w.row_powers), Errc::kInput,
                 "gemm_quantized: main loop exact needs row_powers of both operands");
}

}  // namespace

LoopProblem loop_problem(const GemmQuantized& op) {
  return {.m = op.a.rows,
          .n = op.w.rows,
          .k = op.a.cols,
          .rank = op.up.cols(),
          .a_format = op.a.format,
          .w_format = op.w.format,
          .a_scale = op.a.scale,
          .w_scale = op.w.scale,
          .a_group = op.a.group,
          .w_group = op.w.group,
          .a_has_unsigned = op.a.unsigned_from >= 0 && op.a.unsigned_from < op.a.cols,
          .epilogue = op.next        ? EpilogueKind::kGeluRequantize
                      : op.norm_rope ? EpilogueKind::kNormRope
                                     : EpilogueKind::kPlain,
          .head_dim = op.norm_rope ? op.norm_rope->head_dim : 0};
}

int64_t gemm_quantized_workspace(const GemmQuantized& op, Device device) {
  check(op);
  return device == Device::kCpu ? 0 : detail::gemm_quantized_workspace_cuda(op, loop_for(op));
}

void gemm_quantized(const GemmQuantized& op, Stream stream) {
  check(op);
  if (stream.device == Device::kCpu) return detail::gemm_quantized_cpu(op);
  const MainLoop loop = loop_for(op);
  check_layouts(op, loop);
  check_workspace(stream, detail::gemm_quantized_workspace_cuda(op, loop), "gemm_quantized");
  detail::gemm_quantized_cuda(op, loop, stream);
}

}  // namespace svdlab
