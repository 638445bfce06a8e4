#pragma once
#include "core/base/error.h"
#include "core/ir/tensor.h"
#include "kernels/half.h"

namespace svdlab {

/// The kernels' view of a bf16 matrix with adjacent columns; its device is the caller's affair.
inline HalfOutput half_view(const Tensor& t) {
  SVDLAB_REQUIRE(t.dim() == 2 && t.scalar_type() == at::kBFloat16 && (t.stride(1) == 1 || t.size(1) == 1),
                 Errc::kInput, "fused linear: needs bf16 [rows, columns] with adjacent columns, is ",
                 t.dtype(), " ", t.sizes(), " with strides ", t.strides());
  return {HalfType::kBf16,
          {reinterpret_cast<uint16_t*>(t.data_ptr<at::BFloat16>()), t.size(0), t.size(1),
           t.size(0) > 1 ? t.stride(0) : (t.size(1) + 7) / 8 * 8}};
}

inline const float* float_data(const Tensor& t) { return t.defined() ? t.data_ptr<float>() : nullptr; }

}  // namespace svdlab
