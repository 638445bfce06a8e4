#include "quant/outlier_rotation.h"

#include "quant/random_orthogonal.h"

namespace svdlab {
namespace {

// diag(1, Q) H with Q random and H the reflection that takes the first unit vector to (1, ..., 1) / sqrt(m).
Tensor even_first_row(int64_t m, const Rng& rng, int64_t draw) {
  Tensor v = at::full({m}, -1 / std::sqrt(static_cast<double>(m)), at::kDouble);
  v[0] += 1;
  const Tensor reflection = at::eye(m, at::kDouble) - at::outer(v, v) * (2 / v.square().sum());
  Tensor out = reflection.clone();
  out.slice(0, 1) = random_orthogonal(m - 1, rng, draw).matmul(reflection.slice(0, 1));
  return out;
}

// The matrix without and with rows 0 and `channel` exchanged: acts on that channel as on the first.
Tensor aimed_at(int64_t channel, const Tensor& matrix) {
  Tensor order = at::arange(matrix.size(0));
  order[0] = channel;
  order[channel] = 0;
  return matrix.index_select(0, order);
}

}  // namespace

Tensor greedy_rotation(const Tensor& x, int64_t steps, const Rng& rng, int64_t draw) {
  const int64_t m = x.size(1);
  Tensor rotation = at::eye(m, at::kDouble), best = rotation, rotated = x;
  double smallest = x.abs().max().item<double>();
  for (int64_t i = 0; i < steps; ++i) {
    const int64_t largest = rotated.abs().amax(0).argmax().item<int64_t>();
    rotation = rotation.matmul(aimed_at(largest, even_first_row(m, rng, draw * steps + i)));
    rotated = x.matmul(rotation);
    const double now = rotated.abs().max().item<double>();
    if (now >= smallest) continue;
    smallest = now;
    best = rotation;
  }
  return best;
}

Tensor zigzag_order(const Tensor& size, int64_t m) {
  const int64_t blocks = size.size(0) / m;
  const Tensor by_size = size.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  Tensor order = at::empty({blocks, m}, at::kLong);
  for (int64_t round = 0; round < m; ++round) {
    const Tensor dealt = by_size.slice(0, round * blocks, (round + 1) * blocks);
    order.select(1, round).copy_(round % 2 == 0 ? dealt : dealt.flip(0));
  }
  return order.flatten();
}

}  // namespace svdlab
