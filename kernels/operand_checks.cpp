#include "kernels/operand_checks.h"

#include "core/base/error.h"
#include "kernels/cuda_device.h"

namespace svdlab {

const char* format_name(NumberFormat format) {
  switch (format) {
    case NumberFormat::kInt4:
      return "int4";
    case NumberFormat::kUint4:
      return "uint4";
    case NumberFormat::kInt8:
      return "int8";
    case NumberFormat::kNf4:
      return "nf4";
    case NumberFormat::kFp4E2M1:
      return "e2m1";
    default:
      return "another format";
  }
}

const char* format_name(ScaleFormat format) {
  switch (format) {
    case ScaleFormat::kFp32:
      return "fp32";
    case ScaleFormat::kBf16:
      return "bf16";
    case ScaleFormat::kE4M3:
      return "e4m3";
    case ScaleFormat::kE8M0:
      return "e8m0";
  }
  throw Error(Errc::kUnexpected, "unknown scale format");
}

void check_pointer(const void* p, const char* what) {
  SVDLAB_REQUIRE(p != nullptr, Errc::kInput, what, " is missing");
  const auto address = reinterpret_cast<uintptr_t>(p);
  SVDLAB_REQUIRE(address % kPackedAlignment == 0, Errc::kInput, what, " lies ", address % kPackedAlignment,
                 " bytes behind a multiple of ", kPackedAlignment, "; align it");
}

void require_gpu(const char* what) {
  static const std::string problem = cuda_device_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, "unsupported: ", what, " on a GPU: ", problem,
                 "; use the CPU side");
}

void check_workspace(const Stream& stream, int64_t bytes, const char* what) {
  SVDLAB_REQUIRE(stream.workspace_bytes >= bytes && (bytes == 0 || stream.workspace != nullptr), Errc::kInput,
                 what, ": the stream's workspace has ", stream.workspace ? stream.workspace_bytes : 0,
                 " bytes, needs ", bytes);
  if (bytes > 0) check_pointer(stream.workspace, concat(what, ": the stream's workspace").c_str());
}

void check_half(const HalfMatrix& m, int64_t rows, int64_t cols, const char* what) {
  SVDLAB_REQUIRE(m.rows() == rows && m.cols() == cols, Errc::kInput, what, " is [", m.rows(), ", ", m.cols(),
                 "], must be [", rows, ", ", cols, "]");
  SVDLAB_REQUIRE(m.bits.row_stride >= cols && m.bits.row_stride % 8 == 0, Errc::kInput, what,
                 " has row stride ", m.bits.row_stride, " for ", cols,
                 " columns; it must be a multiple of 8 and not below them");
  check_pointer(m.bits.data, what);
}

void check_floats(MatrixView<const float> m, int64_t rows, int64_t cols, const char* what) {
  SVDLAB_REQUIRE(m.rows == rows && m.cols == cols, Errc::kInput, what, " is [", m.rows, ", ", m.cols,
                 "], must be [", rows, ", ", cols, "]");
  SVDLAB_REQUIRE(m.row_stride >= cols && m.row_stride % 4 == 0, Errc::kInput, what, " has row stride ",
                 m.row_stride, " for ", cols, " columns; it must be a multiple of 4 and not below them");
  check_pointer(m.data, what);
}

void check_rank(int64_t rank, const char* what) {
  SVDLAB_REQUIRE(rank >= 0 && rank <= kMaxRank && rank % 16 == 0, Errc::kConfig, what, ": rank ", rank,
                 " must be 0 to ", kMaxRank, " in steps of 16; pad the factors with zeros to ",
                 rank > kMaxRank ? kMaxRank : (rank < 0 ? 0 : (rank + 15) / 16 * 16));
}

void check_problem(int64_t m, int64_t k, const char* what) {
  SVDLAB_REQUIRE(m >= 1, Errc::kInput, what, ": the input has ", m, " rows");
  SVDLAB_REQUIRE(k >= 64 && k % 64 == 0 && k <= kMaxColumns, Errc::kConfig, what, ": ", k,
                 " input columns; they must be a multiple of 64 up to ", kMaxColumns);
}

void check_up(MatrixView<const float> low_rank, const HalfMatrix& up, int64_t m, int64_t n,
              const char* what) {
  const int64_t rank = up.cols();
  check_rank(rank, what);
  SVDLAB_REQUIRE(low_rank.cols == rank, Errc::kInput, what, ": low_rank has ", low_rank.cols,
                 " columns, up has ", rank);
  if (rank == 0) return;
  check_floats(low_rank, m, rank, concat(what, ": low_rank").c_str());
  check_half(up, n, rank, concat(what, ": up").c_str());
}

}  // namespace svdlab
