#include "lowrank/bench/flux_problems.h"

namespace svdlab::bench {
namespace {

constexpr int64_t kHidden = 3072, kFf = 4 * kHidden, kPiece = 4096;

Tensor weight(int64_t rows, int64_t cols, const at::TensorOptions& options) {
  const Tensor up = at::randn({rows, 64}, options) * at::logspace(0.5, -1, 64, 10, options);
  const Tensor down = at::randn({64, cols}, options);
  return at::addmm(at::randn({rows, cols}, options), up, down, 1, 0.08).mul_(0.02).to(at::kBFloat16).cpu();
}

Tensor input(const FluxUnit& unit, int64_t tokens, const Tensor& mix) {
  const int64_t channels = unit.channels;
  Tensor x = at::randn({tokens, channels}, mix.options());
  x.add_(at::randn({tokens, mix.size(0)}, mix.options()).matmul(mix), 0.2);
  for (int64_t i = 0; i < 16; ++i)
    x.select(1, (i * 997 + 5) % channels).mul_(20 + 4 * static_cast<double>(i));
  if (unit.gelu) {
    Tensor part = x.slice(1, unit.gelu_from);
    part.copy_(at::gelu(part));
  }
  return x.to(at::kBFloat16).to(at::kFloat);
}

std::vector<Segment> segments_of(const FluxUnit& unit) {
  if (!unit.gelu) return {{0, unit.channels, Producer::kModulate}};
  if (unit.gelu_from == 0) return {{0, unit.channels, Producer::kGelu}};
  return {{0, unit.gelu_from, Producer::kAttention}, {unit.gelu_from, unit.channels, Producer::kGelu}};
}

}  // namespace

int64_t FluxUnit::weights() const {
  int64_t rows = 0;
  for (const auto& group : groups)
    for (const auto& branch : group)
      for (const int64_t n : branch) rows += n;
  return rows * channels;
}

std::vector<FluxUnit> flux_units() {
  const std::vector<int64_t> qkv = {kHidden, kHidden, kHidden}, out = {kHidden}, up = {kFf};
  return {
      {.name = "img qkv", .channels = kHidden, .groups = {{qkv}}, .blocks = 19},
      {.name = "txt qkv", .channels = kHidden, .groups = {{qkv}}, .blocks = 19},
      {.name = "img, txt out", .channels = kHidden, .groups = {{out}, {out}}, .blocks = 19},
      {.name = "img ff up", .channels = kHidden, .groups = {{up}}, .blocks = 19},
      {.name = "txt ff up", .channels = kHidden, .groups = {{up}}, .blocks = 19},
      {.name = "img ff down", .channels = kFf, .groups = {{out}}, .gelu = true, .blocks = 19},
      {.name = "txt ff down", .channels = kFf, .groups = {{out}}, .gelu = true, .blocks = 19},
      {.name = "single qkv, ff up", .channels = kHidden, .groups = {{qkv, up}}, .blocks = 38},
      {.name = "single out",
       .channels = kHidden + kFf,
       .groups = {{out}},
       .gelu = true,
       .gelu_from = kHidden,
       .blocks = 38},
      {.name = "double adaLN",
       .channels = kHidden,
       .groups = {{{6 * kHidden}}},
       .blocks = 38,
       .weight_only = true},
      {.name = "single adaLN",
       .channels = kHidden,
       .groups = {{{3 * kHidden}}},
       .blocks = 38,
       .weight_only = true},
  };
}

ActivationStats statistics_of(const std::vector<Tensor>& pieces) {
  ActivationStats s;
  for (const Tensor& x : pieces) {
    const bool first = s.tokens == 0;
    const Tensor wide = x.to(at::kDouble);
    s.tokens += x.size(0);
    s.absmax = first ? x.abs().amax(0) : at::maximum(s.absmax, x.abs().amax(0));
    s.min = first ? x.amin(0) : at::minimum(s.min, x.amin(0));
    s.max = first ? x.amax(0) : at::maximum(s.max, x.amax(0));
    s.sum = first ? wide.sum(0) : s.sum + wide.sum(0);
    s.gram = first ? wide.t().matmul(wide) : s.gram.addmm_(wide.t(), wide);
  }
  s.reservoir = pieces.front().slice(0, 0, s.capacity);
  s.keys = at::arange(s.reservoir.size(0));
  return s;
}

FluxProblem make_flux_problem(const FluxUnit& unit, int64_t tokens, uint64_t seed, at::Device device) {
  at::manual_seed(seed);
  const auto options = at::TensorOptions(device).dtype(at::kFloat);
  FluxProblem out;
  for (size_t g = 0; g < unit.groups.size(); ++g) {
    LayerGroup group;
    for (const auto& branch : unit.groups[g]) {
      group.branches.emplace_back();
      for (const int64_t rows : branch) {
        const int index = static_cast<int>(out.graph.linears.size());
        group.members.push_back(index);
        group.branches.back().push_back(index);
        out.graph.linears.push_back({.name = unit.name + "." + std::to_string(index),
                                     .weight = weight(rows, unit.channels, options),
                                     .segments = segments_of(unit)});
      }
    }
    group.name = out.graph.linears[group.members.front()].name;
    if (g > 0) group.smooth_tied_to = out.graph.groups.front().name;
    const Tensor mix = at::randn({32, unit.channels}, options);
    std::vector<Tensor> pieces;
    for (int64_t t = 0; t < tokens; t += kPiece)
      pieces.push_back(input(unit, std::min(kPiece, tokens - t), mix));
    out.stats[group.name] = statistics_of(pieces).to(at::kCPU);
    out.graph.groups.push_back(std::move(group));
  }
  return out;
}

}  // namespace svdlab::bench
