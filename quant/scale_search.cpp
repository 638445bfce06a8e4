#include "quant/scale_search.h"

#include <cmath>

#include "core/base/error.h"
#include "core/formats/fp8_e4m3.h"
#include "core/ir/quantize.h"
#include "quant/input_gram.h"
#include "quant/row_blocks.h"

namespace svdlab {
namespace {

using Weighting = ScaleSearchOptions::Weighting;

constexpr int64_t kRowsAtOnce = 256;      // with 3072 columns about 3 MB: stays in the cache
constexpr int64_t kGpuRowsAtOnce = 8192;  // a GPU wants work; a dozen matrices of that size are held
constexpr float kSmallestScale = 0x1p-126f, kSmallestE4M3Scale = 0x1p-9f;

// All positive e4m3 values, ascending.
Tensor e4m3_values(at::Device device) {
  std::vector<float> values;
  for (int code = 1; code < 0x7f; ++code) values.push_back(fp8_e4m3_decode(static_cast<uint8_t>(code)));
  return at::tensor(values).to(device);
}

// Scales to try beside `base`, the ones plain rounding would take; the same shape, values of the scale
// format.
std::vector<Tensor> candidate_scales(const Tensor& base, ScaleFormat format, const ScaleSearchOptions& o) {
  std::vector<Tensor> out;
  if (format == ScaleFormat::kE4M3) {
    const Tensor values = e4m3_values(base.device()), index = at::searchsorted(values, base);
    for (int64_t d = 1; d >= -o.steps; --d)
      if (d != 0) out.push_back(values.take((index + d).clamp(0, values.size(0) - 1)));
  } else if (format == ScaleFormat::kE8M0) {
    for (int64_t d = 1; d >= -o.steps; --d)
      if (d != 0) out.push_back((base * std::exp2(static_cast<double>(d))).clamp_min(kSmallestScale));
  } else {
    for (int64_t i = 1; i <= o.grid; ++i) {
      const Tensor s = base * (1 - o.shrink * static_cast<double>(i) / static_cast<double>(o.grid));
      const Tensor stored = format == ScaleFormat::kBf16 ? s.to(at::kBFloat16).to(at::kFloat) : s;
      out.push_back(stored.clamp_min(kSmallestScale));
    }
  }
  return out;
}

// Weights of the error: undefined, [K], or [groups, g, g]; fp32, scaled to a mean diagonal of 1.
Tensor error_weights(const TensorScheme& scheme, const WeightContext& context, Weighting weighting) {
  if (weighting == Weighting::kNone) return {};
  const Tensor diagonal = input_gram_diagonal(context);
  const double mean = diagonal.mean().item<double>();
  const auto scaled = [&](const Tensor& part) { return mean > 0 ? part / mean : part; };
  if (weighting == Weighting::kDiagonal || scheme.grouping != Grouping::kGroup)
    return scaled(diagonal).to(at::kFloat).contiguous();
  return scaled(input_gram_blocks(context, scheme.group)).to(at::kFloat);
}

// Error of each group of each row, [rows, groups] fp64; of a scheme with one scale for everything [1, 1].
Tensor group_errors(const Tensor& difference, const TensorScheme& scheme, const Tensor& weights) {
  const int64_t groups = scheme.groups_of(difference.size(1));
  const Tensor d = difference.view({difference.size(0), groups, -1});
  Tensor costs;
  if (!weights.defined()) {
    costs = d.square();
  } else if (weights.dim() == 1) {
    costs = d.square().mul_(weights.view({groups, -1}));
  } else {
    const Tensor by_group = d.transpose(0, 1);  // [groups, rows, g]
    costs = at::bmm(by_group, weights).mul_(by_group).transpose(0, 1);
  }
  const Tensor sums = costs.sum(2, false, at::kDouble);
  return scheme.grouping == Grouping::kTensor ? sums.sum(0, /*keepdim=*/true) : sums;
}

QuantizedTensor encoded(const Tensor& w, const TensorScheme& scheme, const Tensor& scales,
                        float tensor_scale) {
  QuantizedTensor q = empty_quantized(scheme, w.size(0), w.size(1), w.device());
  q.scales = scales.contiguous();
  q.tensor_scale = tensor_scale;
  encode(w, q);
  return q;
}

struct Found {
  Tensor scales;     // like the scales of the rows
  double error = 0;  // with them, all groups
};

// The best scales of `w` under one tensor scale.
Found best_scales(const Tensor& w, const TensorScheme& scheme, const Tensor& base, float tensor_scale,
                  const Tensor& weights, const ScaleSearchOptions& options) {
  const auto errors = [&](const Tensor& scales) {
    return group_errors(w - dequantize(encoded(w, scheme, scales, tensor_scale)), scheme, weights);
  };
  Tensor best = base, smallest = errors(base);
  for (const Tensor& candidate : candidate_scales(base, scheme.scale, options)) {
    const Tensor error = errors(candidate), better = error < smallest;
    best = at::where(better, candidate, best);
    smallest = at::where(better, error, smallest);
  }
  return {best, smallest.sum().item<double>()};
}

// The scales plain rounding would take under a tensor scale `ratio` times that of `q`.
Tensor base_scales(const QuantizedTensor& q, double ratio) {
  if (ratio == 1) return q.scales;
  const Tensor values = e4m3_values(q.scales.device()), wanted = q.scales / ratio;
  const Tensor above = at::searchsorted(values, wanted).clamp_max(values.size(0) - 1);
  const Tensor high = values.take(above), low = values.take((above - 1).clamp_min(0));
  return at::where(high - wanted < wanted - low, high, low).clamp_min(kSmallestE4M3Scale);
}

class ScaleSearch final : public WeightQuantizer {
 public:
  explicit ScaleSearch(const ScaleSearchOptions& options) : options_(options) {}
  QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme,
                           const WeightContext& context) const override {
    return search_scales(w, scheme, context, options_);
  }
  bool needs_gram() const override { return options_.weighting != Weighting::kNone; }

 private:
  ScaleSearchOptions options_;
};

}  // namespace

QuantizedTensor search_scales(const Tensor& w, const TensorScheme& scheme, const WeightContext& context,
                              const ScaleSearchOptions& options) {
  QuantizedTensor best = quantize(w, scheme);
  SVDLAB_REQUIRE(options.weighting == Weighting::kNone || context.gram.defined(), Errc::kUnexpected,
                 "scale search: needs the Gram matrix of ", w.size(1), " channels");
  const Tensor source = w.contiguous();
  const Tensor weights = error_weights(scheme, context, options.weighting);
  const bool whole = scheme.grouping == Grouping::kTensor;
  const QuantizedTensor plain = best;
  double smallest = std::numeric_limits<double>::infinity();
  for (int64_t t = 0; t < (scheme.two_level ? options.tensor_grid : 1); ++t) {
    const double ratio = std::exp2(static_cast<double>(t) / static_cast<double>(options.tensor_grid));
    const float tensor_scale = plain.tensor_scale * static_cast<float>(ratio);
    const Tensor base = base_scales(plain, ratio), scales = at::empty_like(base);
    const int64_t rows_at_once = w.device().is_cuda() ? kGpuRowsAtOnce : kRowsAtOnce;
    const int64_t block = whole ? std::max<int64_t>(w.size(0), 1) : rows_at_once;
    std::vector<double> errors((w.size(0) + block - 1) / block);
    for_each_block(w.size(0), block, context.threads, [&](int64_t begin, int64_t end) {
      const auto rows = [&](const Tensor& m) { return m.size(0) == 1 ? m : m.slice(0, begin, end); };
      const Found found =
          best_scales(source.slice(0, begin, end), scheme, rows(base), tensor_scale, weights, options);
      rows(scales).copy_(found.scales);
      errors[begin / block] = found.error;
    });
    double error = 0;
    for (const double e : errors) error += e;
    if (!(error < smallest)) continue;
    smallest = error;
    best.scales = scales;
    best.tensor_scale = tensor_scale;
  }
  return encoded(source, scheme, best.scales, best.tensor_scale);
}

ScaleSearchOptions read_scale_search(Fields& options) {
  ScaleSearchOptions o;
  o.grid = options.integer("grid", o.grid);
  o.shrink = options.number("shrink", o.shrink);
  o.steps = options.integer("steps", o.steps);
  o.tensor_grid = options.integer("tensor_grid", o.tensor_grid);
  const auto in_range = [&](bool ok, const char* key, const char* range) {
    SVDLAB_REQUIRE(ok, Errc::kConfig, options.where(), ": `", options.path_of(key), "` must be ", range);
  };
  in_range(o.grid >= 1 && o.grid <= 100, "grid", "1 to 100");
  in_range(o.shrink > 0 && o.shrink < 1, "shrink", "above 0 and below 1");
  in_range(o.steps >= 0 && o.steps <= 32, "steps", "0 to 32");
  in_range(o.tensor_grid >= 1 && o.tensor_grid <= 32, "tensor_grid", "1 to 32");
  const std::string weighting = options.text("weighting", "block");
  in_range(weighting == "none" || weighting == "diagonal" || weighting == "block", "weighting",
           "none, diagonal or block");
  o.weighting = weighting == "none"       ? Weighting::kNone
                : weighting == "diagonal" ? Weighting::kDiagonal
                                          : Weighting::kBlock;
  return o;
}

std::unique_ptr<WeightQuantizer> make_scale_search(Fields& options) {
  return std::make_unique<ScaleSearch>(read_scale_search(options));
}

}  // namespace svdlab
