#pragma once
#include "core/ir/tensor.h"

namespace svdlab {

// Where Nunchaku's kernels expect each element (int4 and nvfp4 alike), as pure permutations of row-major
// matrices: N output rows, K input columns, R rank. Packed tensors have the shape that Nunchaku's loaders
// check; the bytes follow the order of a warp's mma.m16n8k64 fragments, not that shape. Every function wants
// contiguous CPU tensors in whole tiles and throws kUnexpected for others; pad before.

inline constexpr int64_t kNunchakuRows = 128;     ///< N comes in tiles of so many
inline constexpr int64_t kNunchakuColumns = 128;  ///< K as well: tiles of 64, two for each turn of the loop
inline constexpr int64_t kNunchakuRank = 16;      ///< and R

/// uint8 [N, K], one 4-bit code a byte -> int8 [N, K/2].
Tensor pack_nunchaku_codes(const Tensor& codes);
Tensor unpack_nunchaku_codes(const Tensor& packed);

/// bf16 [N, G], G values for each row -> [G, N]: int4 scales; with G = 1 bias, row scales and smoothing.
Tensor pack_nunchaku_rows(const Tensor& values);
Tensor unpack_nunchaku_rows(const Tensor& packed);

/// uint8 [N, K/16], e4m3 bits of nvfp4's scales, columns in whole fours -> [K/16, N].
Tensor pack_nunchaku_micro_scales(const Tensor& scales);
Tensor unpack_nunchaku_micro_scales(const Tensor& packed);

/// bf16 [R, K] -> [K, R].
Tensor pack_nunchaku_down(const Tensor& down);
Tensor unpack_nunchaku_down(const Tensor& packed);
/// bf16 [N, R] -> [N, R].
Tensor pack_nunchaku_up(const Tensor& up);
Tensor unpack_nunchaku_up(const Tensor& packed);

/// The 4-bit weights of the AWQ (TinyChat) kernels, which Nunchaku uses for adaLN: uint8 [N, K], N in whole
/// fours and K in whole 64s -> int32 [N/4, K/2].
Tensor pack_awq_codes(const Tensor& codes);
Tensor unpack_awq_codes(const Tensor& packed);

}  // namespace svdlab
