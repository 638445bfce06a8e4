#include "kernels/gemm_codes.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

// 127 * 127 * kMaxColumns still fits 32 bits; 255, what affine codes reach, halves the columns.
constexpr int64_t kMaxColumns = 131072;

void check(int64_t a_rows, int64_t a_cols, const CodedMatrix& w, MatrixView<const float> out,
           NumberFormat a_format = NumberFormat::kInt8) {
  check_coded(w, "gemm_codes weights");
  SVDLAB_REQUIRE(a_cols == w.cols(), Errc::kInput, "gemm_codes: input has ", a_cols,
                 " columns, weights have ", w.cols());
  const auto share = [](NumberFormat format) { return format == NumberFormat::kAffine ? 2 : 1; };
  const int64_t most = kMaxColumns / share(w.format) / share(a_format);
  SVDLAB_REQUIRE(a_cols <= most, Errc::kInput, "gemm_codes: ", a_cols, " columns, at most ", most,
                 " keep a 32-bit sum exact");
  SVDLAB_REQUIRE(out.rows == a_rows && out.cols == w.rows(), Errc::kUnexpected, "gemm_codes: output is [",
                 out.rows, ", ", out.cols, "], need [", a_rows, ", ", w.rows(), "]");
}

}  // namespace

void gemm_codes(const CodedMatrix& a, const CodedMatrix& w, MatrixView<float> out) {
  check_coded(a, "gemm_codes input");
  check(a.rows(), a.cols(), w, out, a.format);
  detail::gemm_codes_cpu(a, w, out);
}

void gemm_codes(MatrixView<const float> a, const CodedMatrix& w, MatrixView<float> out) {
  check(a.rows, a.cols, w, out);
  detail::gemm_codes_cpu(a, w, out);
}

}  // namespace svdlab
