#include "kernels/main_loop.h"

#include "core/base/error.h"
#include "core/base/names.h"
#include "kernels/operand_checks.h"

namespace svdlab {
namespace {

constexpr MainLoop kPreference[] = {MainLoop::kNvfp4Block, MainLoop::kExact, MainLoop::kInt8,
                                    MainLoop::kMmaS4, MainLoop::kNvfp4};

using Reason = std::optional<std::string>;

// One operand against what a loop reads.
Reason differs(const char* what, NumberFormat format, ScaleFormat scale, int64_t group, NumberFormat needed,
               ScaleFormat needed_scale, int64_t needed_group) {
  if (format != needed) return concat(what, " are ", format_name(format), ", needs ", format_name(needed));
  if (scale != needed_scale)
    return concat(what, " have ", format_name(scale), " scales, needs ", format_name(needed_scale));
  if (group != needed_group) return concat(what, " have group ", group, ", needs ", needed_group);
  return {};
}

Reason both_differ(const LoopProblem& p, NumberFormat format, ScaleFormat scale, int64_t group) {
  if (Reason r = differs("activations", p.a_format, p.a_scale, p.a_group, format, scale, group)) return r;
  return differs("weights", p.w_format, p.w_scale, p.w_group, format, scale, group);
}

Reason int8_differs(const LoopProblem& p) {
  if (Reason r = differs("activations", p.a_format, p.a_scale, p.a_group, NumberFormat::kInt8,
                         ScaleFormat::kFp32, p.k))
    return r;
  if (p.w_format == NumberFormat::kInt4)
    return differs("weights", p.w_format, p.w_scale, p.w_group, NumberFormat::kInt4, ScaleFormat::kBf16, 64);
  return differs("weights", p.w_format, p.w_scale, p.w_group, NumberFormat::kInt8, ScaleFormat::kFp32, p.k);
}

Reason older_than(int architecture, int needed) {
  if (architecture >= needed) return {};
  return concat("the device is sm_", architecture, ", needs sm_", needed, " or later");
}

Reason shape_refused(const LoopProblem& p) {
  if (p.m < 1) return concat("M is ", p.m);
  if (p.n < 8 || p.n % 8 != 0) return concat("N is ", p.n, ", needs a multiple of 8");
  if (p.k < 64 || p.k % 64 != 0) return concat("K is ", p.k, ", needs a multiple of 64");
  if (p.rank < 0 || p.rank > 128 || p.rank % 16 != 0)
    return concat("rank is ", p.rank, ", needs 0 to 128 in steps of 16");
  if (p.epilogue == EpilogueKind::kNormRope && p.head_dim != 64 && p.head_dim != 128)
    return concat("heads have ", p.head_dim, " channels, norm and rope need 64 or 128");
  return {};
}

}  // namespace

std::string to_string(MainLoop loop) {
  switch (loop) {
    case MainLoop::kExact:
      return "exact";
    case MainLoop::kInt8:
      return "int8";
    case MainLoop::kMmaS4:
      return "mma_s4";
    case MainLoop::kNvfp4:
      return "nvfp4";
    case MainLoop::kNvfp4Block:
      return "nvfp4_block";
  }
  throw Error(Errc::kUnexpected, "unknown main loop");
}

MainLoop main_loop_named(const std::string& name) {
  std::vector<std::string> names;
  for (const MainLoop loop : kPreference) {
    if (to_string(loop) == name) return loop;
    names.push_back(to_string(loop));
  }
  throw Error(Errc::kConfig,
              concat("unknown main loop '", name, "'; did you mean '", nearest(name, names), "'?"));
}

LoopLayouts layouts_of(MainLoop loop, NumberFormat weights) {
  switch (loop) {
    case MainLoop::kExact:
      return {CodeLayout::kE4M3, CodeLayout::kSignedFragments64};
    case MainLoop::kInt8:
      return {CodeLayout::kBytes,
              weights == NumberFormat::kInt8 ? CodeLayout::kBytes : CodeLayout::kFragments64};
    case MainLoop::kMmaS4:
    case MainLoop::kNvfp4:
    case MainLoop::kNvfp4Block:
      return {CodeLayout::kNibbles, CodeLayout::kNibbles};
  }
  throw Error(Errc::kUnexpected, "unknown main loop");
}

std::optional<std::string> why_declined(MainLoop loop, const LoopProblem& p, int architecture) {
  if (Reason r = shape_refused(p)) return r;
  switch (loop) {
    case MainLoop::kExact:
      if (architecture != 90) return concat("the device is sm_", architecture, ", wgmma needs sm_90");
      return both_differ(p, NumberFormat::kInt4, ScaleFormat::kBf16, 64);
    case MainLoop::kInt8:
      if (Reason r = older_than(architecture, 80)) return r;
      return int8_differs(p);
    case MainLoop::kMmaS4:
      if (Reason r = older_than(architecture, 80)) return r;
      return both_differ(p, NumberFormat::kInt4, ScaleFormat::kBf16, 64);
    case MainLoop::kNvfp4:
      if (Reason r = older_than(architecture, 80)) return r;
      return both_differ(p, NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16);
    case MainLoop::kNvfp4Block:
      if (architecture != 120 && architecture != 121)
        return concat("the device is sm_", architecture, ", block-scaled mma needs sm_120 or sm_121");
      return both_differ(p, NumberFormat::kFp4E2M1, ScaleFormat::kE4M3, 16);
  }
  throw Error(Errc::kUnexpected, "unknown main loop");
}

LoopDecision choose_main_loop(const LoopProblem& problem, int architecture) {
  LoopDecision out;
  for (const MainLoop loop : kPreference) {
    const Reason reason = why_declined(loop, problem, architecture);
    if (!reason) {
      out.chosen = loop;
      return out;
    }
    out.declined.push_back({loop, *reason});
  }
  return out;
}

std::string LoopDecision::to_string() const {
  std::string out = chosen ? svdlab::to_string(*chosen) : "none";
  for (const Declined& d : declined) out += "; " + svdlab::to_string(d.loop) + ": " + d.reason;
  return out;
}

}  // namespace svdlab
