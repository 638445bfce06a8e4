#pragma once
#include <cuda.h>

#include "kernels/device/checked.cuh"

namespace svdlab::device {

/// A row-major matrix in device memory as the bulk copy engine sees it, in boxes of `box_rows` rows (at most
/// 256) and 128 bytes, which lie in shared memory with the 128-byte swizzle (fragments.h).
struct BoxedMatrix {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_UINT8;
  int element_bytes = 1;
  const void* data = nullptr;  ///< aligned to 16 bytes
  int64_t rows = 0, cols = 0;
  int64_t row_bytes = 0;  ///< from row to row, a multiple of 16
  int box_rows = 0;
};

inline CUtensorMap tensor_map(const BoxedMatrix& m) {
  static const auto encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found{};
    SVDLAB_CUDA(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                 cudaEnableDefault, &found));
    SVDLAB_REQUIRE(found == cudaDriverEntryPointSuccess, Errc::kUnexpected,
                   "CUDA: the driver has no cuTensorMapEncodeTiled; 12.0 or newer is needed");
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
  }();
  CUtensorMap map;
  const cuuint64_t sizes[2] = {static_cast<cuuint64_t>(m.cols), static_cast<cuuint64_t>(m.rows)};
  const cuuint64_t strides[1] = {static_cast<cuuint64_t>(m.row_bytes)};
  const cuuint32_t box[2] = {static_cast<cuuint32_t>(128 / m.element_bytes),
                             static_cast<cuuint32_t>(m.box_rows)};
  const cuuint32_t steps[2] = {1, 1};
  const CUresult result = encode(&map, m.type, 2, const_cast<void*>(m.data), sizes, strides, box, steps,
                                 CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                 CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  SVDLAB_REQUIRE(result == CUDA_SUCCESS, Errc::kUnexpected, "CUDA: cuTensorMapEncodeTiled: error ",
                 static_cast<int>(result), " for [", m.rows, ", ", m.cols, "], ", m.row_bytes,
                 " bytes a row, boxes of ", m.box_rows, " rows");
  return map;
}

}  // namespace svdlab::device
