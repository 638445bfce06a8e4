#pragma once
#include <cstdint>
#include <vector>

#include "core/base/view.h"

namespace svdlab {

/// How the transform of one length is put together: a Kronecker product of small bases (see hadamard_base.h)
/// and of `twos` factors of order 2.
struct HadamardPlan {
  int64_t size = 1;
  std::vector<int> bases;  ///< from the outermost factor inwards; the factors of order 2 are inside them
  int twos = 0;
  /// True: all entries are +-1 (before the division by the root of `size`), as far as the length allows.
  bool is_hadamard() const;
};

/// Lengths that work are 2^a 3^b 5^c 7^d. Each odd prime takes two factors of 2 with it, to a base of 12, 20
/// or 28, while there are any: 1152 = 12 * 12 * 2^3 and 12288 = 12 * 2^10 are Hadamard matrices, 96 = 12 *
/// 2^3 as well, 6 = 3 * 2 is orthogonal only. Throws kConfig for another length, with the largest divisor
/// that works.
HadamardPlan hadamard_plan(int64_t size);

enum class HadamardSide { kForward, kTransposed };

/// Every run of `block` adjacent columns of every row, times the orthonormal matrix H of that order (or its
/// transpose, which undoes it), in place: n (a + sum of bases) operations a run instead of n^2. Sums are
/// formed in T, and divided by the root of the length at the end, so integers stay exact until then.
/// @param x      [rows, cols]; `block` divides cols, else kConfig.
/// @param block  see hadamard_plan.
void hadamard_rows(MatrixView<float> x, int64_t block, HadamardSide side);
void hadamard_rows(MatrixView<double> x, int64_t block, HadamardSide side);

namespace detail {
void hadamard_rows_cpu(MatrixView<float> x, const HadamardPlan& plan, bool transposed);
void hadamard_rows_cpu(MatrixView<double> x, const HadamardPlan& plan, bool transposed);
}  // namespace detail

}  // namespace svdlab
