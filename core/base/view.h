#pragma once
#include <cstdint>

namespace svdlab {

/// Non-owning row-major matrix: the only data type kernels know. `row_stride` counts elements and is >= cols.
template <class T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0, cols = 0, row_stride = 0;

  MatrixView() = default;
  MatrixView(T* data, int64_t rows, int64_t cols, int64_t row_stride)
      : data(data), rows(rows), cols(cols), row_stride(row_stride) {}
  MatrixView(T* data, int64_t rows, int64_t cols) : MatrixView(data, rows, cols, cols) {}
  /// A view of T converts to a view of const T.
  operator MatrixView<const T>() const { return {data, rows, cols, row_stride}; }

  T& operator()(int64_t r, int64_t c) const { return data[r * row_stride + c]; }
  T* row(int64_t r) const { return data + r * row_stride; }
};

}  // namespace svdlab
