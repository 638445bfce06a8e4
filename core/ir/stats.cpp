#include "core/ir/stats.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

void start(ActivationStats& s, int64_t channels) {
  const auto f32 = at::TensorOptions().dtype(at::kFloat);
  s.absmax = at::zeros({channels}, f32);
  s.min = at::full({channels}, std::numeric_limits<float>::infinity(), f32);
  s.max = at::full({channels}, -std::numeric_limits<float>::infinity(), f32);
  s.sum = at::zeros({channels}, f32.dtype(at::kDouble));
  s.gram = at::zeros({channels, channels}, f32.dtype(at::kDouble));
  s.reservoir = at::zeros({0, channels}, f32);
  s.keys = at::zeros({0}, f32.dtype(at::kLong));
}

void require_channels(const ActivationStats& s, int64_t channels) {
  SVDLAB_REQUIRE(s.channels() == channels, Errc::kInput, "activation statistics of ", s.channels(),
                 " channels cannot take rows of ", channels, " channels");
}

// Keys are unique, so "the smallest keys of what was seen" does not depend on the order things were seen in.
void offer(ActivationStats& s, const Tensor& rows, const Tensor& keys) {
  const Tensor all_keys = at::cat({s.keys, keys});
  const Tensor order = all_keys.argsort().slice(0, 0, s.capacity);
  const int64_t held = s.keys.size(0);
  const Tensor from_held = order.masked_select(order < held), from_new = order.masked_select(order >= held);
  Tensor kept = at::empty({order.size(0), s.channels()}, s.reservoir.options());
  kept.index_put_({order < held}, s.reservoir.index_select(0, from_held));
  kept.index_put_({order >= held}, rows.index_select(0, from_new - held));
  s.reservoir = kept;
  s.keys = all_keys.index_select(0, order);
}

// The first channel of [.., K] values with a NaN or infinity, or -1. In pieces: a Gram matrix may be large.
int64_t first_bad_channel(const Tensor& values) {
  constexpr int64_t kRows = 256;
  const Tensor rows = values.reshape({-1, values.size(-1)});
  Tensor bad = at::zeros({values.size(-1)}, values.options().dtype(at::kBool));
  for (int64_t r = 0; r < rows.size(0); r += kRows)
    bad.logical_or_(rows.slice(0, r, r + kRows).isfinite().logical_not_().any(0));
  const Tensor found = bad.nonzero();
  return found.size(0) == 0 ? -1 : found[0][0].item<int64_t>();
}

}  // namespace

void ActivationStats::add(const Tensor& x, const Tensor& new_keys) {
  SVDLAB_REQUIRE(x.dim() == 2 && x.size(0) == new_keys.numel(), Errc::kUnexpected,
                 "activation statistics: rows [n, K] and keys [n] disagree: ", x.sizes(), " and ",
                 new_keys.sizes());
  if (!absmax.defined()) start(*this, x.size(1));
  require_channels(*this, x.size(1));
  if (x.size(0) == 0) return;
  tokens += x.size(0);
  absmax = at::maximum(absmax, x.abs().amax(0));
  min = at::minimum(min, x.amin(0));
  max = at::maximum(max, x.amax(0));
  const Tensor wide = x.to(at::kDouble);
  sum = sum + wide.sum(0);
  gram = at::addmm(gram, wide.t(), wide);
  offer(*this, x, new_keys);
}

void ActivationStats::merge(const ActivationStats& other) {
  if (!other.absmax.defined()) return;
  if (!absmax.defined()) start(*this, other.channels());
  require_channels(*this, other.channels());
  tokens += other.tokens;
  absmax = at::maximum(absmax, other.absmax);
  min = at::minimum(min, other.min);
  max = at::maximum(max, other.max);
  sum = sum + other.sum;
  gram = gram + other.gram;
  offer(*this, other.reservoir, other.keys);
  for (const auto& [linear, sums] : other.fisher) fisher[linear].merge(sums);
  if (ranges.empty()) ranges.resize(other.ranges.size());
  SVDLAB_REQUIRE(ranges.size() == other.ranges.size(), Errc::kInput, "activation statistics of ",
                 ranges.size(), " ranges of timesteps cannot take those of ", other.ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    ranges[i].upper = other.ranges[i].upper;
    ranges[i].stats.capacity = capacity;
    ranges[i].stats.merge(other.ranges[i].stats);
  }
}

ActivationStats ActivationStats::without_channels(const Tensor& channels) const {
  ActivationStats out = *this;
  for (Tensor* t : {&out.absmax, &out.min, &out.max, &out.sum}) *t = t->index_fill(0, channels, 0);
  out.gram = gram.index_fill(0, channels, 0).index_fill_(1, channels, 0);
  out.reservoir = reservoir.index_fill(1, channels, 0);
  out.ranges.clear();
  return out;
}

ActivationStats ActivationStats::to(at::Device device) const {
  ActivationStats out = *this;
  for (Tensor* t : {&out.absmax, &out.min, &out.max, &out.sum, &out.gram, &out.reservoir}) *t = t->to(device);
  for (TimestepStats& range : out.ranges) range.stats = range.stats.to(device);
  return out;
}

void ActivationStats::require_finite(const std::string& group) const {
  SVDLAB_REQUIRE(tokens > 0, Errc::kInput, "activations of group ", group, ": no token was seen");
  for (const Tensor* values : {&absmax, &min, &max, &sum, &gram, &reservoir}) {
    const int64_t channel = first_bad_channel(*values);
    SVDLAB_REQUIRE(channel < 0, Errc::kInput, "activations of group ", group, ": channel ", channel, " of ",
                   channels(), " is NaN or infinite; check the model's weights and the calibration inputs");
  }
  for (const auto& [linear, sums] : fisher) sums.require_finite(linear);
  for (const TimestepStats& range : ranges)
    range.stats.require_finite(concat(group, " at timesteps up to ", range.upper));
}

}  // namespace svdlab
