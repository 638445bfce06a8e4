#include "kernels/hadamard.h"

#include <algorithm>

#include "core/base/error.h"

namespace svdlab {
namespace {

// What is left of `size` without 2, 3, 5 and 7.
int64_t foreign_part(int64_t size) {
  for (const int p : {2, 3, 5, 7})
    while (size % p == 0) size /= p;
  return size;
}

template <class T>
void checked_rows(MatrixView<T> x, int64_t block, HadamardSide side) {
  const HadamardPlan plan = hadamard_plan(block);
  SVDLAB_REQUIRE(x.cols % block == 0, Errc::kConfig, "Hadamard transform: block ", block, " does not divide ",
                 x.cols, " columns");
  detail::hadamard_rows_cpu(x, plan, side == HadamardSide::kTransposed);
}

}  // namespace

bool HadamardPlan::is_hadamard() const {
  return std::all_of(bases.begin(), bases.end(), [](int base) { return base % 4 == 0; });
}

HadamardPlan hadamard_plan(int64_t size) {
  SVDLAB_REQUIRE(size >= 1, Errc::kConfig, "Hadamard transform of length ", size, ": it must be at least 1");
  const int64_t foreign = foreign_part(size);
  SVDLAB_REQUIRE(foreign == 1, Errc::kConfig, "no Hadamard transform of length ", size,
                 ": lengths are 2^a 3^b 5^c 7^d, and ", foreign, " is left; use blocks of ", size / foreign);
  HadamardPlan plan;
  plan.size = size;
  for (; size % 2 == 0; size /= 2) ++plan.twos;
  for (const int p : {7, 5, 3})
    for (; size % p == 0; size /= p) {
      const bool whole = plan.twos >= 2;
      plan.bases.push_back(whole ? 4 * p : p);
      if (whole) plan.twos -= 2;
    }
  return plan;
}

void hadamard_rows(MatrixView<float> x, int64_t block, HadamardSide side) { checked_rows(x, block, side); }
void hadamard_rows(MatrixView<double> x, int64_t block, HadamardSide side) { checked_rows(x, block, side); }

}  // namespace svdlab
