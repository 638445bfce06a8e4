#pragma once
#include <cuda.h>

#include "kernels/device/checked.cuh"

namespace svdlab::device {

struct BoxedMatrix {
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_UINT8;
  int element_bytes = 1;
  const void* data = nullptr;
  int64_t rows = 0, cols = 0;
  int64_t row_bytes = 0;
  int box_rows = 0;
};

inline CUtensorMap tensor_map(const BoxedMatrix& m) {
  CUtensorMap map{};
  static_assert(sizeof m <= sizeof map);
  SVDLAB_REQUIRE(m.row_bytes % 16 == 0 && reinterpret_cast<uintptr_t>(m.data) % 16 == 0 && m.box_rows <= 256,
                 Errc::kUnexpected, "emulated tensor map: ", m.row_bytes, " bytes a row, ", m.box_rows,
                 " rows");
  std::memcpy(&map, &m, sizeof m);
  return map;
}

}  // namespace svdlab::device
