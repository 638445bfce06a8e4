#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"

namespace svdlab {

/// Reads a YAML (or JSON) file strictly: duplicate keys, anchors to itself, several documents, and tabs are
/// kConfig errors with file:line:column; a missing file is kInput.
Value load_yaml(const std::string& path);
Value parse_yaml(const std::string& text, const std::string& name);
/// Block-style YAML that parse_yaml reads back to an equal value.
std::string to_yaml(const Value& value);

/// Lays `top` over `base`: maps merge key by key, everything else is replaced.
Value merge(const Value& base, const Value& top);
/// Applies `a.b=value` (value parsed as YAML; list indices as numbers: plan.0.match=x); `+a.b=1` must be new,
/// plain `a.b=1` must exist in `base`, `~a.b` removes. kConfig with the nearest key otherwise.
void apply_override(Value& base, const std::string& override_text);

}  // namespace svdlab
