#pragma once
#include <string>
#include <vector>

#include "core/io/nunchaku_module.h"
#include "core/io/safetensors.h"

namespace svdlab {

/// What Nunchaku calls the tensors whose names changed.
struct NunchakuKeys {
  const char *smooth, *smooth_orig, *down, *up;  ///< smooth_orig: nullptr where there is none
};
inline constexpr NunchakuKeys kNunchakuKeys = {"smooth_factor", "smooth_factor_orig", "proj_down", "proj_up"};
inline constexpr NunchakuKeys kNunchakuOldKeys = {"smooth", "smooth_orig", "lora_down", "lora_up"};
inline constexpr NunchakuKeys kNunchakuLiteKeys = {"smooth_factor", nullptr, "proj_down", "proj_up"};

/// The tensors of a W4A4 linear, packed: qweight, wscales, smoothing, factors; bias where there is one;
/// wtscale (fp32) and wcscales with nvfp4. N and K are padded to whole tiles and the rank to `rank`, with
/// zeros and, in scales and smoothing, ones. @param rank a multiple of 16, at least that of `module`.
void append_w4a4(const std::string& prefix, const NunchakuW4A4& module, int64_t rank,
                 const NunchakuKeys& keys, std::vector<StWrite>& tensors);
/// The opposite; kInput, naming the tensor, when one is missing, does not fit or is not finite.
NunchakuW4A4 read_w4a4(const SafetensorsFile& file, const std::string& prefix, int64_t rows, int64_t columns,
                       const NunchakuKeys& keys);

/// The tensors of a linear of scheme w4a16-int4-g64 for Nunchaku's AWQ kernels: qweight, wscales, wzeros,
/// bias. value = code * scale + zero with code in 0..15 and zero = -8 scale, which is exact in bf16 (as -7
/// scale, used elsewhere, is not). The bias is rounded to bf16. With `chunks` > 0 rows are re-ordered from
/// [chunks, N / chunks] to [N / chunks, chunks] and 1 is added to the bias of the chunks 1 and chunks - 2:
/// the "1 + scale" of adaLN. Throws kConfig naming the linear when it is of another scheme, has a smoothing
/// vector or low-rank branch, or when N is no multiple of 4 and `chunks`.
void append_awq(const std::string& prefix, const CompressedLinear& linear, int64_t chunks,
                std::vector<StWrite>& tensors);
/// The opposite. Codes and scales as they were; the bias with 1 taken off again.
CompressedLinear read_awq(const SafetensorsFile& file, const std::string& prefix, const std::string& name,
                          int64_t rows, int64_t columns, int64_t chunks);

}  // namespace svdlab
