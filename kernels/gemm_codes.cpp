#include "kernels/gemm_codes.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

// 127 * 127 * kMaxColumns still fits 32 bits.
constexpr int64_t kMaxColumns = 131072;

void check(int64_t a_rows, int64_t a_cols, const CodedMatrix& w, MatrixView<const float> out) {
  check_coded(w, "gemm_codes weights");
  SVDLAB_REQUIRE(a_cols == w.cols(), Errc::kInput, "gemm_codes: input has ", a_cols,
                 " columns, weights have ", w.cols());
  SVDLAB_REQUIRE(a_cols <= kMaxColumns, Errc::kInput, "gemm_codes: ", a_cols, " columns, at most ",
                 kMaxColumns, " keep a 32-bit sum exact");
  SVDLAB_REQUIRE(out.rows == a_rows && out.cols == w.rows(), Errc::kUnexpected, "gemm_codes: output is [",
                 out.rows, ", ", out.cols, "], need [", a_rows, ", ", w.rows(), "]");
}

}  // namespace

void gemm_codes(const CodedMatrix& a, const CodedMatrix& w, MatrixView<float> out) {
  check_coded(a, "gemm_codes input");
  check(a.rows(), a.cols(), w, out);
  detail::gemm_codes_cpu(a, w, out);
}

void gemm_codes(MatrixView<const float> a, const CodedMatrix& w, MatrixView<float> out) {
  check(a.rows, a.cols, w, out);
  detail::gemm_codes_cpu(a, w, out);
}

}  // namespace svdlab
