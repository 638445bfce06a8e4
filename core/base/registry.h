#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {

/// An ordered name -> factory table with a one-line description per entry. Built once from a literal list, so
/// `registry.cpp` of each folder is the readable catalogue of its strategies.
template <class Factory>
class Registry {
 public:
  struct Entry {
    std::string name;
    std::string summary;  ///< one line, shown by `svdlab list`
    Factory make;
  };

  Registry(std::string kind, std::vector<Entry> entries)
      : kind_(std::move(kind)), entries_(std::move(entries)) {}

  const std::vector<Entry>& entries() const { return entries_; }

  bool contains(const std::string& name) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
  }

  /// Throws kConfig naming the nearest known entry.
  const Factory& at(const std::string& name) const {
    for (const Entry& e : entries_)
      if (e.name == name) return e.make;
    throw Error(Errc::kConfig,
                concat("unknown ", kind_, " \"", name, "\"; nearest: \"", nearest(name, names()), "\""));
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Entry& e : entries_) out.push_back(e.name);
    return out;
  }

 private:
  std::string kind_;
  std::vector<Entry> entries_;
};

}  // namespace svdlab
