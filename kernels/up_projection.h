#pragma once
#include "kernels/half.h"

namespace svdlab::detail {

/// out(m, n) += sum_r low_rank(m, r) up(n, r), the sum in fp32 from left to right, then out(m, n) += bias[n].
void add_up_and_bias_cpu(MatrixView<const float> low_rank, const HalfMatrix& up, const float* bias,
                         MatrixView<float> out);

/// out(m, n) = y(m, n) rounded once to the type of `out`.
void store_half_cpu(MatrixView<const float> y, const HalfOutput& out);

}  // namespace svdlab::detail
