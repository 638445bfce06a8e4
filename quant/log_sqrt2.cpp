#include "quant/log_sqrt2.h"

#include <cmath>

#include "core/base/error.h"

namespace svdlab {

Tensor log_sqrt2_encode(const Tensor& x, double scale, int bits) {
  SVDLAB_REQUIRE(bits >= 1 && bits <= 8, Errc::kConfig, "log-sqrt2 codes have 1 to 8 bits, not ", bits);
  SVDLAB_REQUIRE(scale > 0 && std::isfinite(scale), Errc::kInput, "log-sqrt2: scale ", scale,
                 " must be finite and > 0");
  SVDLAB_REQUIRE((x >= 0).logical_and(x.isfinite()).all().item<bool>(), Errc::kInput,
                 "log-sqrt2 codes are for finite values that are not negative, as probabilities are");
  const Tensor exponent = (x.to(at::kDouble) / scale).log2().mul(-2);  // of 0: infinite, the largest code
  return exponent.round().clamp(0, (1 << bits) - 1).to(at::kLong);
}

Tensor log_sqrt2_decode(const Tensor& codes, double scale) {
  const Tensor odd = codes.remainder(2), shift = (codes + odd).div(2, "floor").to(at::kDouble);
  const Tensor factor = odd.to(at::kDouble) * (std::sqrt(2.0) - 1) + 1;
  return at::exp2(-shift).mul(factor).mul(scale).to(at::kFloat);
}

Tensor log_sqrt2_codebook(int bits) {
  return log_sqrt2_decode(at::arange(1 << bits, at::kLong).flip(0), 1.0);
}

}  // namespace svdlab
