#pragma once
#include "core/base/value.h"
#include "core/ir/scheme.h"

namespace svdlab {

/// Lays the keys format, group | grouping, scale and two_level of `f` over `scheme`; see scheme_config.h.
/// Throws kConfig with the place. The caller finishes `f`.
void read_tensor_scheme(Fields& f, TensorScheme& scheme);

/// Every key of `scheme`, as read_tensor_scheme reads them back to an equal one.
Value tensor_scheme_value(const TensorScheme& scheme);

}  // namespace svdlab
