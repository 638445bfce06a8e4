#pragma once
#include <cstdlib>
#include <string>

#include "core/io/yaml.h"
#include "tests/fuzz/verdict.h"

namespace svdlab::fuzz {

/// Any text gives a value or a refusal. A value survives being written and read again.
inline bool yaml_target(const std::string& text) {
  return accepted("fuzz.yaml", [&] {
    const Value value = parse_yaml(text, "fuzz.yaml");
    if (parse_yaml(to_yaml(value), "again").canonical_json() != value.canonical_json()) std::abort();
  });
}

/// Any text is an override or refused, and a refused one changes nothing.
inline bool override_target(const std::string& text) {
  static const Value base =
      parse_yaml("{study: s, plan: [{match: a, rank: 1}, {match: b}], seed: 0}", "base");
  Value value = base;
  const bool good = accepted("override", [&] { apply_override(value, text); });
  if (!good && value.canonical_json() != base.canonical_json()) std::abort();
  return good;
}

}  // namespace svdlab::fuzz
