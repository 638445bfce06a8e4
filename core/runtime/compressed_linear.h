#pragma once
#include <memory>

#include "core/ir/compressed.h"
#include "core/runtime/precision.h"

namespace svdlab {

/// The two CPU executions of a CompressedLinear.
enum class Execution {
  kDequantized,  ///< codes are decoded to fp32 and multiplied through BLAS: fast, what studies use
  kCodes,        ///< integer or fp4 codes, exact group sums, group scales, plain loops: the oracle
};

/// x_hat quantized and decoded again, fp32 [T, K]: what the low-bit branch multiplies. The shift is not included
/// (decode(codes) * scale - shift), so the result approximates x_hat.
/// @param x_hat  [T, K] fp32, already divided by the smoothing vector.
Tensor fake_quantize(const Tensor& x_hat, const ActivationScheme& scheme, const std::vector<Segment>& segments);

/// y [T, out] fp32, before the final rounding. @param x [T, in] fp32.
Tensor run_compressed(const CompressedLinear& linear, const Tensor& x, Execution execution);

/// A CompressedLinear made ready for repeated kDequantized execution: weights decoded once, the quantized input kept
/// for the next linear that has the same smoothing vector, scheme and input.
class PreparedLinear {
 public:
  explicit PreparedLinear(const CompressedLinear& linear, Execution execution);
  ~PreparedLinear();
  PreparedLinear(PreparedLinear&&) noexcept;
  Tensor run(const Tensor& x) const;  ///< [T, in] -> [T, out], fp32, before the final rounding

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svdlab
