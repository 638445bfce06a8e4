#include "core/ir/online.h"

#include "core/base/error.h"
#include "kernels/hadamard.h"

namespace svdlab {
namespace {

// The effect of one step on rows, A; and on rows of weights, A^-T.
Tensor linear(const Divide& s, const Tensor& x) { return x / s.by; }
Tensor linear(const Offset&, const Tensor& x) { return x; }
Tensor linear(const Permute& s, const Tensor& x) { return x.index_select(1, s.order); }
template <class T>
void transform_rows(Tensor& x, int64_t size) {
  hadamard_rows(MatrixView<T>(x.data_ptr<T>(), x.size(0), x.size(1)), size, HadamardSide::kForward);
}
Tensor linear(const Hadamard& s, const Tensor& x) {
  Tensor part = x.slice(1, s.begin, s.end);
  part = s.signs.defined() ? (part * s.signs).contiguous() : part.clone(at::MemoryFormat::Contiguous);
  if (x.scalar_type() == at::kDouble)
    transform_rows<double>(part, s.size);
  else
    transform_rows<float>(part, s.size);
  Tensor out = x.clone();
  out.slice(1, s.begin, s.end).copy_(part);
  return out;
}
Tensor linear(const Rotate& s, const Tensor& x) {
  const int64_t runs = s.blocks.size(0), m = s.blocks.size(1);
  const Tensor part = x.slice(1, s.begin, s.end).reshape({x.size(0), runs, m}).transpose(0, 1);
  Tensor out = x.clone();
  out.slice(1, s.begin, s.end)
      .copy_(at::bmm(part, s.blocks.to(x.scalar_type())).transpose(0, 1).reshape({x.size(0), runs * m}));
  return out;
}

Tensor dual(const Divide& s, const Tensor& w) { return w * s.by; }
template <class Orthogonal>
Tensor dual(const Orthogonal& s, const Tensor& w) {
  return linear(s, w);
}

double bits_of(const Divide& s) { return 16.0 * static_cast<double>(s.by.numel()); }
double bits_of(const Offset& s) { return 16.0 * static_cast<double>(s.add.numel()); }
double bits_of(const Permute& s) { return 16.0 * static_cast<double>(s.order.numel()); }
double bits_of(const Hadamard& s) { return s.signs.defined() ? static_cast<double>(s.signs.numel()) : 0.0; }
double bits_of(const Rotate& s) { return 32.0 * static_cast<double>(s.blocks.numel()); }

}  // namespace

bool OnlineTransform::mixes_channels() const {
  for (const OnlineStep& step : then)
    if (!std::holds_alternative<Divide>(step) && !std::holds_alternative<Offset>(step)) return true;
  return false;
}

Tensor OnlineTransform::apply_linear(const Tensor& x) const {
  Tensor out = smooth.defined() ? x / smooth : x;
  for (const OnlineStep& step : then) out = std::visit([&](const auto& s) { return linear(s, out); }, step);
  return out;
}

Tensor OnlineTransform::apply(const Tensor& x) const {
  Tensor out = smooth.defined() ? x / smooth : x;
  for (const OnlineStep& step : then) {
    const Offset* offset = std::get_if<Offset>(&step);
    out = offset ? out + offset->add : std::visit([&](const auto& s) { return linear(s, out); }, step);
  }
  return out;
}

Tensor OnlineTransform::weight(const Tensor& w) const {
  Tensor out = smooth.defined() ? w * smooth : w;
  for (const OnlineStep& step : then) out = std::visit([&](const auto& s) { return dual(s, out); }, step);
  return out;
}

Tensor OnlineTransform::constant(int64_t channels) const {
  for (const OnlineStep& step : then)
    if (std::holds_alternative<Offset>(step)) return apply(at::zeros({1, channels})).squeeze(0);
  return {};
}

Tensor OnlineTransform::gram(const Tensor& g) const {
  if (!smooth.defined() && then.empty()) return g;
  if (then.empty()) {
    const Tensor inverse = smooth.to(at::kDouble).reciprocal();
    return g * inverse.unsqueeze(0) * inverse.unsqueeze(1);
  }
  return apply_linear(apply_linear(g).t().contiguous());
}

double OnlineTransform::bits() const {
  double sum = smooth.defined() ? 16.0 * static_cast<double>(smooth.numel()) : 0.0;
  for (const OnlineStep& step : then) sum += std::visit([](const auto& s) { return bits_of(s); }, step);
  return sum;
}

}  // namespace svdlab
