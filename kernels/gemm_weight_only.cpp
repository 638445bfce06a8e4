#include "kernels/gemm_weight_only.h"

#include "core/base/error.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

void check(const GemmWeightOnly& op) {
  const int64_t m = op.x.rows(), n = op.w.rows, k = op.x.cols();
  check_problem(m, k, "gemm_weight_only");
  check_half(op.x, m, k, "gemm_weight_only: x");
  SVDLAB_REQUIRE(op.w.cols == k, Errc::kInput, "gemm_weight_only: the input has ", k,
                 " columns, the weights have ", op.w.cols);
  SVDLAB_REQUIRE(n >= 8 && n % 8 == 0, Errc::kConfig, "gemm_weight_only: ", n,
                 " output columns; they must be a multiple of 8");
  SVDLAB_REQUIRE((op.w.format == NumberFormat::kInt4 || op.w.format == NumberFormat::kNf4) &&
                     op.w.scale == ScaleFormat::kBf16 && op.w.group == 64 &&
                     op.w.layout == CodeLayout::kNibbles && op.w.unsigned_from == -1,
                 Errc::kConfig, "gemm_weight_only: weights are ", format_name(op.w.format), " with ",
                 format_name(op.w.scale), " scales in groups of ", op.w.group, " in ", to_string(op.w.layout),
                 ", unsigned from ", op.w.unsigned_from,
                 "; served are int4 and nf4 with bf16 in groups of 64 in nibbles");
  check_packed(op.w, "gemm_weight_only: weights");
  if (op.divide_by) check_pointer(op.divide_by, "gemm_weight_only: divide_by");
  if (op.bias) check_pointer(op.bias, "gemm_weight_only: bias");
  check_up(op.low_rank, op.up, m, n, "gemm_weight_only");
  check_half(op.out, m, n, "gemm_weight_only: out");
  SVDLAB_REQUIRE(op.out.type == op.x.type, Errc::kInput, "gemm_weight_only: out is ", to_string(op.out.type),
                 ", x is ", to_string(op.x.type));
}

}  // namespace

void gemm_weight_only(const GemmWeightOnly& op, Stream stream) {
  check(op);
  stream.device == Device::kCpu ? detail::gemm_weight_only_cpu(op)
                                : detail::gemm_weight_only_cuda(op, stream);
}

}  // namespace svdlab
