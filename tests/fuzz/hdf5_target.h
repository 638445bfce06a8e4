#pragma once
#include <functional>
#include <string>

#include "core/io/hdf5.h"
#include "tests/fuzz/verdict.h"

namespace svdlab::fuzz {

/// Any file is read object by object, or refused as a whole or in parts. True: no part was refused.
inline bool hdf5_target(const std::string& path) {
  bool good = true;
  const auto part = [&](const auto& read) {
    const bool came = accepted(path, read);
    good = good && came;
    return came;
  };
  const auto object = [&](const Hdf5Reader& file, const std::string& name) {
    return accepted(path, [&] { file.table(name); }) || accepted(path, [&] { file.text(name); }) ||
           accepted(path, [&] { file.tensor(name); });
  };
  part([&] {
    const Hdf5Reader file(path);
    part([&] { file.attribute("schema"); });
    const std::function<void(const std::string&, int)> walk = [&](const std::string& group, int depth) {
      for (const std::string& name : file.list(group)) {
        const std::string below = (group == "/" ? "" : group) + "/" + name;
        if (object(file, below)) continue;
        if (depth == 0)
          good = false;
        else
          part([&] { walk(below, depth - 1); });
      }
    };
    walk("/", 3);
  });
  return good;
}

}  // namespace svdlab::fuzz
