#pragma once
#include <optional>

#include "core/io/safetensors_dtype.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// The torch dtype that holds these values; nothing for the dtypes that torch 1.13 lacks and we carry as raw
/// bytes.
std::optional<at::ScalarType> torch_dtype(StDtype dtype);
/// The opposite; nothing for a torch dtype that the format lacks.
std::optional<StDtype> dtype_of(at::ScalarType type);

}  // namespace svdlab
