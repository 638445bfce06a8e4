#include "quant/random_orthogonal.h"

namespace svdlab {

Tensor random_orthogonal(int64_t n, const Rng& rng, int64_t draw) {
  Tensor gaussian = at::empty({n, n}, at::kDouble);
  double* data = gaussian.data_ptr<double>();
  for (int64_t i = 0; i < n * n; ++i) data[i] = rng.normal(static_cast<uint64_t>(draw * n * n + i));
  const auto [q, r] = at::linalg_qr(gaussian);
  return q * at::where(r.diagonal() < 0, -1.0, 1.0);
}

}  // namespace svdlab
