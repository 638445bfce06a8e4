#include "tests/support/reference_search.h"

#include <limits>

#include "core/base/error.h"

namespace svdlab::testing {
namespace {

Tensor bf16(const Tensor& t) { return t.to(at::kFloat).to(at::kBFloat16).to(at::kDouble); }

// Nearest value of a binary float with `bits` mantissa bits, exponents from `smallest` up, at most `largest`.
Tensor to_float_format(const Tensor& x, int bits, int smallest, double largest) {
  const Tensor magnitude = x.abs();
  const Tensor exponent = magnitude.clamp_min(1e-300).log2().floor().clamp_min(smallest);
  const Tensor step = at::pow(2.0, exponent - bits);
  return ((magnitude / step).round() * step).clamp_max(largest) * x.sign();
}
Tensor e4m3(const Tensor& x) { return to_float_format(x, 3, -6, 448).clamp_min(0x1p-9); }
Tensor e2m1(const Tensor& x) { return to_float_format(x, 1, 0, 6); }

// Rounded to nearest and decoded, groups along the columns.
Tensor rounded(const Tensor& x, const TensorScheme& s, bool is_unsigned) {
  const Tensor groups = x.reshape({x.size(0), -1, s.group});
  const Tensor largest = is_unsigned ? groups.amax(2, true).clamp_min(0) : groups.abs().amax(2, true);
  if (s.format == NumberFormat::kInt4) {
    const double top = is_unsigned ? 15 : 7;
    const Tensor scale = bf16(largest / top).clamp_min(0x1p-126);
    return ((groups / scale).round().clamp(is_unsigned ? 0 : -7, top) * scale).reshape(x.sizes());
  }
  SVDLAB_REQUIRE(s.format == NumberFormat::kFp4E2M1 && s.scale == ScaleFormat::kE4M3, Errc::kUnexpected,
                 "reference search: only int4 and nvfp4");
  const double tensor_scale = s.two_level ? largest.max().item<double>() / 6 / 448 : 1;
  const Tensor scale = e4m3(largest / 6 / tensor_scale) * tensor_scale;
  return (e2m1(groups / scale) * scale).reshape(x.sizes());
}

bool shifted(const GroupProblem& p, const Segment& s) {
  return p.scheme.activations->shift_after_gelu && s.producer == Producer::kGelu;
}

struct Replay {
  Tensor smoothed, quantized;  // [T, K]
};

Replay replay(const GroupProblem& p, const Tensor& smooth) {
  const Tensor x = p.stats->reservoir.to(at::kDouble);
  Replay out{x / smooth, at::empty_like(x)};
  for (const Segment& s : p.segments) {
    const double shift = shifted(p, s) ? double{kGeluShift} : 0;
    const Tensor divisor = smooth.slice(0, s.begin, s.end);
    const Tensor part = (x.slice(1, s.begin, s.end) + shift) / divisor;
    out.quantized.slice(1, s.begin, s.end)
        .copy_(rounded(part, p.scheme.activations->tensor, shift != 0) - shift / divisor);
  }
  return out;
}

Tensor stacked(const GroupProblem& p, size_t branch) {
  std::vector<Tensor> weights;
  for (const int member : p.branches[branch]) weights.push_back(p.weights[member].to(at::kDouble));
  return at::cat(weights);
}

// Each member has its own tensor scale.
Tensor rounded_members(const GroupProblem& p, size_t branch, const Tensor& m) {
  std::vector<Tensor> rows;
  int64_t begin = 0;
  for (const int member : p.branches[branch]) {
    const int64_t end = begin + p.weights[member].size(0);
    rows.push_back(rounded(m.slice(0, begin, end), *p.scheme.weights, false));
    begin = end;
  }
  return at::cat(rows);
}

double branch_error(const Tensor& outputs, const Replay& x, const ReferenceBranch& b) {
  return (outputs - x.quantized.matmul(b.low_bit.t()) - x.smoothed.matmul(b.down.t()).matmul(b.up.t()))
      .square()
      .sum()
      .item<double>();
}

// L of `target`, then the rest of `weights` rounded.
ReferenceBranch decomposed(const GroupProblem& p, size_t branch, const Tensor& weights, const Tensor& target,
                           int64_t rank) {
  const auto [u, s, vh] = at::linalg_svd(target, /*full_matrices=*/false);
  ReferenceBranch out;
  out.up = bf16((u * s).slice(1, 0, rank));
  out.down = bf16(vh.slice(0, 0, rank));
  out.low_bit = rounded_members(p, branch, weights - out.up.matmul(out.down));
  return out;
}

struct Spans {
  Tensor input, weight;
};

Spans spans_of(std::span<const GroupProblem> problems) {
  const int64_t channels = problems.front().channels();
  Spans out{at::zeros({channels}, at::kDouble), at::zeros({channels}, at::kDouble)};
  for (const GroupProblem& p : problems) {
    for (const Segment& s : p.segments) {
      const double shift = shifted(p, s) ? double{kGeluShift} : 0;
      const auto part = [&](const Tensor& t) { return t.slice(0, s.begin, s.end).to(at::kDouble); };
      Tensor span = part(out.input);
      span.copy_(at::maximum(
          span, at::maximum((part(p.stats->min) + shift).abs(), (part(p.stats->max) + shift).abs())));
    }
    for (const Tensor& w : p.weights) out.weight = at::maximum(out.weight, w.abs().amax(0).to(at::kDouble));
  }
  return out;
}

std::vector<Tensor> smoothing_candidates(std::span<const GroupProblem> problems, int64_t grid) {
  const Spans spans = spans_of(problems);
  std::vector<Tensor> out = {at::ones_like(spans.input)};
  for (const bool balanced : {false, true})
    for (int64_t i = 1; i < grid; ++i) {
      const double alpha = static_cast<double>(i) / static_cast<double>(grid);
      const Tensor s = bf16(spans.input.pow(alpha) / spans.weight.pow(balanced ? 1 - alpha : 0));
      out.push_back(at::where(s.isfinite().logical_and(s > 0), s, at::ones_like(s)));
    }
  return out;
}

ReferenceBranch iterated(const GroupProblem& p, size_t branch, const Tensor& smooth, const Replay& x,
                         const ReferenceOptions& o, double& error) {
  const Tensor plain = stacked(p, branch), weights = plain * smooth;
  const Tensor outputs = p.stats->reservoir.to(at::kDouble).matmul(plain.t());
  ReferenceBranch best, last;
  error = std::numeric_limits<double>::infinity();
  for (int64_t t = 0; t < o.iterations; ++t) {
    last = decomposed(p, branch, weights, t == 0 ? weights : weights - last.low_bit, o.rank);
    const double now = branch_error(outputs, x, last);
    if (!(now <= error)) break;
    error = now;
    best = last;
  }
  return best;
}

}  // namespace

std::vector<ReferenceGroup> reference_svdquant(std::span<const GroupProblem> problems,
                                               const ReferenceOptions& options) {
  Tensor best;
  double least = std::numeric_limits<double>::infinity();
  for (const Tensor& smooth : smoothing_candidates(problems, options.grid)) {
    double sum = 0;
    for (const GroupProblem& p : problems) {
      const Replay x = replay(p, smooth);
      for (size_t b = 0; b < p.branches.size(); ++b) {
        const Tensor plain = stacked(p, b), weights = plain * smooth;
        sum += branch_error(p.stats->reservoir.to(at::kDouble).matmul(plain.t()), x,
                            decomposed(p, b, weights, weights, options.rank));
      }
    }
    if (sum < least) least = sum, best = smooth;
  }
  std::vector<ReferenceGroup> out;
  for (const GroupProblem& p : problems) {
    ReferenceGroup group{.smooth = best};
    const Replay x = replay(p, best);
    for (size_t b = 0; b < p.branches.size(); ++b) {
      double error = 0;
      group.branches.push_back(iterated(p, b, best, x, options, error));
      group.error += error;
    }
    out.push_back(std::move(group));
  }
  return out;
}

double replayed_error(const GroupProblem& p, std::span<const CompressedLinear> linears) {
  const Tensor tokens = p.stats->reservoir.to(at::kDouble);
  double sum = 0;
  for (size_t i = 0; i < linears.size(); ++i) {
    const CompressedLinear& l = linears[i];
    const Tensor smooth =
        l.smooth.defined() ? l.smooth.to(at::kDouble) : at::ones({p.channels()}, at::kDouble);
    ReferenceBranch b{.low_bit = dequantize(l.low_bit()->weight).to(at::kDouble),
                      .up = at::zeros({p.weights[i].size(0), 0}, at::kDouble),
                      .down = at::zeros({0, p.channels()}, at::kDouble)};
    if (const LowRankBranch* branch = l.low_rank()) {
      b.up = branch->up.to(at::kDouble);
      b.down = branch->down.to(at::kDouble);
    }
    sum += branch_error(tokens.matmul(p.weights[i].to(at::kDouble).t()), replay(p, smooth), b);
  }
  return sum;
}

}  // namespace svdlab::testing
