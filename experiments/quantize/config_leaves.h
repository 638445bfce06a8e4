#pragma once
#include <map>
#include <string>
#include <vector>

#include "experiments/quantize/import_deepcompressor.h"

namespace svdlab {

/// The leaves of a foreign configuration's tree by their paths (a.b.c; a list is one leaf), each to be noted
/// with what became of it.
class Leaves {
 public:
  explicit Leaves(const Value& root) { collect(root, ""); }

  const Value* find(const std::string& key) const;  ///< null when absent
  // The value, or `fallback` when absent; kConfig with the place when it has another type.
  std::string text(const std::string& key, const std::string& fallback) const;
  bool boolean(const std::string& key, bool fallback) const;
  double number(const std::string& key, double fallback) const;
  int64_t integer(const std::string& key, int64_t fallback) const;
  std::vector<std::string> names(const std::string& key) const;  ///< of a list; empty when absent
  /// Where a key was read from, for messages.
  std::string where(const std::string& key) const;

  /// Says what became of a key; nothing when it is absent or has a note.
  void note(const std::string& key, ImportedKey::Fate fate, const std::string& text);
  /// Of all keys that match.
  void note_all(const std::string& pattern, ImportedKey::Fate fate, const std::string& text);
  /// All keys in order; those without a note have no counterpart.
  std::vector<ImportedKey> take() { return std::move(keys_); }

 private:
  void collect(const Value& v, const std::string& path);

  std::map<std::string, size_t> index_;
  std::vector<Value> values_;
  std::vector<ImportedKey> keys_;
  std::vector<bool> noted_;
};

}  // namespace svdlab
