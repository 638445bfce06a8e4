#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace svdlab {

/// A configuration value: null, scalar, list or map, with the place it was read from. Order of map members is
/// kept.
class Value {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  using Member = std::pair<std::string, Value>;

  Kind kind = Kind::kNull;
  std::string scalar;           ///< kScalar: the text as written
  bool quoted = false;          ///< kScalar: was quoted, hence is text whatever it looks like
  std::vector<Value> items;     ///< kList
  std::vector<Member> members;  ///< kMap
  std::string where;            ///< "study.yaml:12:3" or "override rank=4"

  static Value text(std::string s);
  static Value number(double v);
  static Value integer(int64_t v);
  static Value boolean(bool v);
  static Value map() {
    Value v;
    v.kind = Kind::kMap;
    return v;
  }
  static Value list() {
    Value v;
    v.kind = Kind::kList;
    return v;
  }

  const Value* find(const std::string& key) const;
  /// The member `key` of a map, added at the end when absent.
  Value& at_or_add(const std::string& key);

  // Typed reads; each throws kConfig "where: `path` must be ..., not ...".
  int64_t as_integer(const std::string& path) const;
  double as_number(const std::string& path) const;
  bool as_boolean(const std::string& path) const;  ///< true or false only: yes/no/on/off are refused
  std::string as_text(const std::string& path) const;

  /// One-line JSON with members in sorted order: the text that is hashed. Independent of `where`.
  std::string canonical_json() const;
};

/// Strict reader over a map: every key must be asked for, or finish() refuses the map.
class Fields {
 public:
  /// Throws kConfig when `map` is not a map (null counts as empty).
  Fields(const Value& map, std::string path);

  bool has(const std::string& key);
  const Value* child(const std::string& key);  ///< nullptr when absent
  int64_t integer(const std::string& key, int64_t fallback);
  double number(const std::string& key, double fallback);
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key, const std::string& fallback);
  std::string required_text(const std::string& key);
  std::string path_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  std::string where() const { return map_->where; }
  /// Throws kConfig for the first key that was never asked for, naming the nearest that was.
  void finish() const;

 private:
  const Value* map_;
  std::string path_;
  std::set<std::string> asked_;
};

}  // namespace svdlab
