#pragma once
#include "kernels/half.h"
#include "kernels/packed_matrix.h"
#include "kernels/stream.h"

namespace svdlab {

// What every fused op asks of its operands. Each throws kInput or kConfig with all the numbers; `what` starts
// the message, e.g. "gemm_quantized: up".

inline constexpr int64_t kMaxColumns = 131072;  ///< 127 * 127 * 131072 still fits 32 bits
inline constexpr int64_t kMaxRank = 128;

/// [rows, cols], 16-byte aligned, its stride a multiple of 8 numbers (16 bytes) and not below cols.
void check_half(const HalfMatrix& m, int64_t rows, int64_t cols, const char* what);
/// The same for fp32, with strides a multiple of 4 numbers (16 bytes).
void check_floats(MatrixView<const float> m, int64_t rows, int64_t cols, const char* what);
const char* format_name(NumberFormat format);
const char* format_name(ScaleFormat format);

/// 0..128 in steps of 16.
void check_rank(int64_t rank, const char* what);
/// 1 <= m, and k a multiple of 64 up to kMaxColumns.
void check_problem(int64_t m, int64_t k, const char* what);
/// The low-rank operands of a product: low_rank [m, rank], up [n, rank]; both empty for rank 0.
void check_up(MatrixView<const float> low_rank, const HalfMatrix& up, int64_t m, int64_t n, const char* what);
/// A GPU can be used; kConfig "unsupported" naming `what` if not.
void require_gpu(const char* what);
/// Stream::workspace holds `bytes` and is 16-byte aligned.
void check_workspace(const Stream& stream, int64_t bytes, const char* what);
/// Set and 16-byte aligned.
void check_pointer(const void* p, const char* what);

}  // namespace svdlab
