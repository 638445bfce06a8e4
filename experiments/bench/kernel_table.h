#pragma once
#include <vector>

#include "core/io/hdf5.h"
#include "kernels/bench/measurement.h"

namespace svdlab {

/// The measurements of `svdlab bench gemm|prologue` as a table, a row each, in their order.
Table kernel_table(const std::vector<bench::Measurement>& measurements);

}  // namespace svdlab
