#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/ir/quantize.h"
#include "quant/codebook_quantizer.h"

namespace svdlab {
namespace {

constexpr int64_t kMostValues = 1 << 16;  // of a weight that take part in the search
constexpr double kLowestTop = -6, kTopStep = 0.25, kLeastSpan = 1, kMostSpan = 14, kSpanStep = 0.5;

// Magnitudes of one sign relative to the largest of their group, ascending, with sums that give the error of
// any interval rounded to any level.
class Magnitudes {
 public:
  // @param relative  [n] fp64, of this sign.  @param scales  [n], what they are relative to.
  Magnitudes(const Tensor& relative, const Tensor& scales) {
    const auto [sorted, order] = relative.sort();
    const Tensor weight = scales.index_select(0, order).square();
    values_.assign(sorted.data_ptr<double>(), sorted.data_ptr<double>() + sorted.numel());
    const Tensor parts = at::stack({weight, weight * sorted, weight * sorted * sorted}).cumsum(1);
    for (int i = 0; i < 3; ++i) {
      const Tensor part = parts[i].contiguous();
      sums_[i].assign(1, 0.0);
      sums_[i].insert(sums_[i].end(), part.data_ptr<double>(), part.data_ptr<double>() + part.numel());
    }
  }

  // Squared error in the weights with the levels 0 and 2^top, ..., 2^(top - span).
  double error(const std::vector<double>& levels) const {
    double sum = 0, level = 0;
    size_t begin = 0;
    for (const double next : levels) {
      const size_t end =
          std::upper_bound(values_.begin(), values_.end(), (level + next) / 2) - values_.begin();
      sum += between(begin, end, level);
      begin = end;
      level = next;
    }
    return sum + between(begin, values_.size(), level);
  }

 private:
  double between(size_t begin, size_t end, double level) const {
    const auto part = [&](int i) { return sums_[i][end] - sums_[i][begin]; };
    return part(2) - 2 * level * part(1) + level * level * part(0);
  }

  std::vector<double> values_;
  std::vector<double> sums_[3];
};

// `count` > 1 levels, ascending from 2^(top - span) to 2^top in even steps of the logarithm.
std::vector<double> log_levels(double top, double span, int count) {
  std::vector<double> out;
  for (int k = count - 1; k >= 0; --k) out.push_back(std::exp2(top - span * k / (count - 1)));
  return out;
}

std::vector<double> best_levels(const Magnitudes& magnitudes, int count) {
  std::vector<double> best;
  double least = std::numeric_limits<double>::infinity();
  for (double top = 0; top >= kLowestTop; top -= kTopStep)
    for (double span = kLeastSpan; span <= kMostSpan; span += kSpanStep) {
      std::vector<double> levels = log_levels(top, span, count);
      const double error = magnitudes.error(levels);
      if (!(error < least)) continue;
      least = error;
      best = std::move(levels);
    }
  return best;
}

// LRQ-DiT's TwinLog (arXiv 2508.03485): log2 |w| in even steps, with a largest value and a step of their own
// for positive and for negative weights of a matrix, found on a grid by the squared error of the weights. The
// values are relative to their group's largest magnitude; 0 is a level, so 0 and signs are exact. Without the
// search a log grid covers values nobody will miss and is of no use.
class TwinLog final : public WeightQuantizer {
 public:
  explicit TwinLog(int bits) : above_((1 << (bits - 1)) - 1) {}

  QuantizedTensor quantize(const Tensor& w, const TensorScheme& scheme, const WeightContext&) const override {
    const Tensor ends = at::tensor({-1.0f, 0.0f, 1.0f});
    const QuantizedTensor scaled = quantize_to_codebook(w, scheme, ends);
    return quantize_to_codebook(w, scheme, levels(w, scaled));
  }
  bool needs_gram() const override { return false; }
  const WeightQuantizer* stand_in() const override { return this; }

 private:
  Tensor levels(const Tensor& w, const QuantizedTensor& scaled) const {
    const int64_t groups = scaled.scales.size(1);
    const Tensor scales = (scaled.scales.to(at::kDouble) * static_cast<double>(scaled.tensor_scale))
                              .unsqueeze(2)
                              .expand({w.size(0), groups, w.size(1) / groups})
                              .flatten();
    const int64_t stride = (w.numel() / kMostValues) | 1;  // odd: takes from every column
    const auto sample = [&](const Tensor& t) { return t.slice(0, 0, t.size(0), stride); };
    const Tensor values = sample(w.flatten()).to(at::kDouble), steps = sample(scales);
    std::vector<float> out;
    for (const double level : side(values.neg(), steps)) out.push_back(static_cast<float>(-level));
    std::reverse(out.begin(), out.end());
    out.push_back(0.0f);
    for (const double level : side(values, steps)) out.push_back(static_cast<float>(level));
    return at::tensor(out);
  }

  std::vector<double> side(const Tensor& values, const Tensor& scales) const {
    const Tensor positive = values > 0, kept = scales.masked_select(positive);
    return best_levels({values.masked_select(positive) / kept, kept}, above_);
  }

  int above_;  // levels of each sign
};

}  // namespace

std::unique_ptr<WeightQuantizer> make_twin_log(Fields& options) {
  return std::make_unique<TwinLog>(read_code_bits(options, 4, 3));
}

}  // namespace svdlab
