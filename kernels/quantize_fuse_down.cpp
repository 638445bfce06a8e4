#include "kernels/quantize_fuse_down.h"

#include <cmath>

#include "core/base/error.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

// The triples of format, scales and group that the fused ops know.
void check_spec(const QuantizeSpec& spec, int64_t k, const char* what) {
  const auto is = [&](NumberFormat format, ScaleFormat scale, int64_t group) {
    return spec.format == format && spec.scale == scale && spec.group == group;
  };
  const bool served =
      is(NumberFormat::kInt4, ScaleFormat::kBf16, 64) || is(NumberFormat::kUint4, ScaleFormat::kBf16, 64) ||
      is(NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16) || is(NumberFormat::kInt8, ScaleFormat::kFp32, k);
  SVDLAB_REQUIRE(
      served, Errc::kConfig, what, ": ", format_name(spec.format), " with ", format_name(spec.scale),
      " scales in groups of ", spec.group, " of ", k,
      " columns; served are int4 and uint4 with bf16 in groups of 64, e2m1 with e4m3 in groups of 16, "
      "int8 with fp32 for all columns");
  SVDLAB_REQUIRE(!spec.two_level, Errc::kConfig, what, ": the scales of activations have one level, not two");
  SVDLAB_REQUIRE(std::isfinite(spec.shift) && (spec.shift == 0 || spec.format == NumberFormat::kUint4),
                 Errc::kConfig, what, ": shift ", spec.shift, " needs unsigned codes; use uint4 or shift 0");
}

void check_codes(const PackedOutput& codes, const QuantizeSpec& spec, int64_t m, int64_t k,
                 const char* what) {
  const bool is_unsigned = spec.format == NumberFormat::kUint4;
  const NumberFormat format = is_unsigned ? NumberFormat::kInt4 : spec.format;
  SVDLAB_REQUIRE(codes.rows == m && codes.cols == k, Errc::kInput, what, ": codes are [", codes.rows, ", ",
                 codes.cols, "], must be [", m, ", ", k, "]");
  SVDLAB_REQUIRE(codes.format == format && codes.scale == spec.scale && codes.group == spec.group &&
                     codes.unsigned_from == (is_unsigned ? 0 : -1) && codes.tensor_scale == 1.0f,
                 Errc::kInput, what, ": codes are ", format_name(codes.format), ", ",
                 format_name(codes.scale), " scales, group ", codes.group, ", unsigned from ",
                 codes.unsigned_from, ", tensor scale ", codes.tensor_scale, "; ", format_name(spec.format),
                 ", ", format_name(spec.scale), ", ", spec.group, is_unsigned ? ", 0, 1" : ", -1, 1",
                 " is asked for");
  SVDLAB_REQUIRE(!is_fragments(codes.layout), Errc::kConfig, what, ": activations have no layout ",
                 to_string(codes.layout));
  check_packed(codes, what);
}

void check(const QuantizeFuseDown& op) {
  const int64_t m = op.x.rows(), k = op.x.cols();
  check_problem(m, k, "quantize_fuse_down");
  check_half(op.x, m, k, "quantize_fuse_down: x");
  if (op.step == InputStep::kLayerNormModulate) {
    check_pointer(op.modulation.scale, "quantize_fuse_down: modulation scale");
    check_pointer(op.modulation.shift, "quantize_fuse_down: modulation shift");
    SVDLAB_REQUIRE(op.modulation.epsilon > 0 && std::isfinite(op.modulation.epsilon), Errc::kConfig,
                   "quantize_fuse_down: epsilon ", op.modulation.epsilon, " must be > 0");
  }
  check_quantize_target(op.target, op.x.type, m, k, "quantize_fuse_down");
}

}  // namespace

void check_quantize_target(const QuantizeTarget& target, HalfType type, int64_t m, int64_t k,
                           const char* what) {
  check_spec(target.spec, k, what);
  check_codes(target.codes, target.spec, m, k, what);
  if (target.divide_by) check_pointer(target.divide_by, concat(what, ": divide_by").c_str());
  const int64_t rank = target.down.rows();
  check_rank(rank, what);
  SVDLAB_REQUIRE(target.low_rank.cols == rank, Errc::kInput, what, ": low_rank has ", target.low_rank.cols,
                 " columns, down has ", rank, " rows");
  SVDLAB_REQUIRE(rank > 0 || target.down_low.rows() == 0, Errc::kInput, what, ": down_low has ",
                 target.down_low.rows(), " rows, down has none");
  if (rank == 0) return;
  const auto check_factor = [&](const HalfMatrix& factor, const char* name) {
    check_half(factor, rank, k, concat(what, ": ", name).c_str());
    SVDLAB_REQUIRE(factor.type == type, Errc::kInput, what, ": ", name, " is ", to_string(factor.type),
                   ", x is ", to_string(type));
  };
  check_factor(target.down, "down");
  if (target.down_low.rows() != 0) check_factor(target.down_low, "down_low");
  check_floats(target.low_rank, m, rank, concat(what, ": low_rank").c_str());
}

int64_t quantize_fuse_down_workspace(const QuantizeFuseDown& op, Device device) {
  check(op);
  if (device == Device::kCpu) return 0;
  require_gpu("quantize_fuse_down");
  return detail::quantize_fuse_down_workspace_cuda(op);
}

void quantize_fuse_down(const QuantizeFuseDown& op, Stream stream) {
  check(op);
  if (stream.device == Device::kCpu) return detail::quantize_fuse_down_cpu(op);
  require_gpu("quantize_fuse_down");
  check_workspace(stream, detail::quantize_fuse_down_workspace_cuda(op), "quantize_fuse_down");
  detail::quantize_fuse_down_cuda(op, stream);
}

}  // namespace svdlab
