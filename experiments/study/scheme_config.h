#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/ir/scheme.h"

namespace svdlab {

/// A scheme written in YAML:
///   weights:     {format: int4|int8|nf4|e2m1|affine, bits: 4 (affine), group: 64 | grouping: row|tensor,
///                 scale: bf16|fp32|e4m3|e8m0, two_level: false}
///   activations: the same keys, and shift_after_gelu: false, dynamic: true (whatever else there is a
///   method's
///                `activations` says; affine codes need static ones)
/// `base: nvfp4` starts from a scheme that exists. Throws kConfig with the place.
Scheme parse_scheme(const std::string& name, const Value& value, const std::string& path);
Value scheme_to_value(const Scheme& scheme);

/// The scheme called `name` among `own`, then among the built-in ones; kConfig with the nearest of both.
const Scheme& find_scheme(const std::string& name, const std::vector<Scheme>& own, const std::string& where);

}  // namespace svdlab
