#pragma once
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/base/registry.h"
#include "core/base/value.h"

namespace svdlab {

/// Builds the stage that an option of another stage names: `key: name` or `key: {name: {options}}`; absent:
/// `fallback` without options. Throws kConfig with the place for unknown stages and options.
template <class Factory>
auto read_nested_stage(const Registry<Factory>& registry, Fields& options, const std::string& key,
                       const std::string& fallback) {
  static const Value none = Value::map();
  const Value *chosen = options.child(key), *inner = &none;
  std::string name = fallback;
  if (chosen && chosen->kind == Value::Kind::kMap) {
    SVDLAB_REQUIRE(chosen->members.size() == 1, Errc::kConfig, chosen->where, ": `", options.path_of(key),
                   "` must be one stage, `name` or `{name: {options}}`, not ", chosen->members.size());
    name = chosen->members.front().first;
    inner = &chosen->members.front().second;
  } else if (chosen) {
    name = chosen->as_text(options.path_of(key));
  }
  Fields fields(*inner, options.path_of(key) + "." + name);
  auto stage = registry.at(name)(fields);
  fields.finish();
  return stage;
}

}  // namespace svdlab
