#pragma once
#include <cstdint>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

/// Share of ||m||_F^2 in the leading singular values, one for each of `ranks`; NaN for a zero matrix. From
/// the eigenvalues of the smaller Gram matrix in float64: exact to about 1e-14.
/// @param m  [rows, cols] fp64
std::vector<double> captured_energy(const Tensor& m, const std::vector<int64_t>& ranks);

/// The best approximations of one matrix, of any rank (Eckart-Young).
class Principal {
 public:
  /// @param m  [rows, cols] fp64, kept.
  explicit Principal(const Tensor& m);
  /// m less its best approximation of rank `rank`; m itself for 0.
  Tensor residual(int64_t rank) const;

 private:
  Tensor m_;
  Tensor basis_;  ///< leading singular vectors of the smaller side first
  bool left_;
};

}  // namespace svdlab
