#pragma once
#include <memory>
#include <optional>

#include "core/ir/compressed.h"
#include "core/runtime/fake_quantize.h"
#include "core/runtime/precision.h"

namespace svdlab {

/// The two CPU executions of a CompressedLinear.
enum class Execution {
  kDequantized,  ///< codes are decoded to fp32 and multiplied through BLAS: fast, what studies use
  kCodes,        ///< integer or fp4 codes, exact group sums, group scales, plain loops: the oracle
};

/// y [T, out] fp32, before the final rounding: with x_hat = T(x) in fp32, not rounded,
/// y = bias + Q(x_hat) W_q^T + (x_hat down^T) up^T + the other branches on x, every product accumulated and
/// kept in fp32.
/// @param x  [T, in] fp32 on the CPU, finite where activations are quantized, else kInput. No gradient.
/// @param timestep  of all tokens; kConfig when it is missing and the linear has a variant for each range.
Tensor run_compressed(const CompressedLinear& linear, const Tensor& x, Execution execution,
                      std::optional<double> timestep = {});

/// The columns that the branch takes of the tokens x [T, K]: int64, ascending.
Tensor columns_taken(const ColumnsBranch& branch, const Tensor& x);

/// A CompressedLinear made ready for repeated execution: for kDequantized the weights are decoded once. run()
/// may be called by several threads.
class PreparedLinear {
 public:
  explicit PreparedLinear(const CompressedLinear& linear, Execution execution);
  ~PreparedLinear();
  PreparedLinear(PreparedLinear&&) noexcept;
  /// [T, in] -> [T, out], fp32, before the final rounding.
  Tensor run(const Tensor& x, std::optional<double> timestep = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svdlab
