#include "kernels/coded_matrix.h"

#include "core/base/error.h"

namespace svdlab {

void check_coded(const CodedMatrix& q, const char* what) {
  SVDLAB_REQUIRE(q.group > 0 && q.cols() % q.group == 0, Errc::kInput, what, ": group ", q.group,
                 " does not divide ", q.cols(), " columns");
  SVDLAB_REQUIRE((q.scales.rows == q.rows() || q.scales.rows == 1) && q.scales.cols == q.cols() / q.group,
                 Errc::kInput, what, ": scales are [", q.scales.rows, ", ", q.scales.cols, "], need [",
                 q.rows(), " or 1, ", q.cols() / q.group, "]");
  SVDLAB_REQUIRE(
      q.format != NumberFormat::kAffine || (q.zeros.rows == q.scales.rows && q.zeros.cols == q.scales.cols),
      Errc::kInput, what, ": zero points are [", q.zeros.rows, ", ", q.zeros.cols,
      "], need one for each scale, [", q.scales.rows, ", ", q.scales.cols, "]");
  SVDLAB_REQUIRE(q.format != NumberFormat::kCodebook || q.codebook, Errc::kInput, what,
                 ": a codebook is missing");
}

}  // namespace svdlab
