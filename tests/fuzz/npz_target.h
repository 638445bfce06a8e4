#pragma once
#include <string>

#include "core/io/npz.h"
#include "tests/fuzz/verdict.h"

namespace svdlab::fuzz {

/// Any file gives arrays or a refusal.
inline bool npz_target(const std::string& path) {
  return accepted(path, [&] {
    const NpzFile file(path);
    for (const std::string& name : file.names()) file.tensor(name);
  });
}

/// The same for the bytes of one array, which in a .npz stand behind a check sum.
inline bool npy_target(const std::string& bytes) {
  return accepted("fuzz.npy", [&] { parse_npy(bytes, "fuzz.npy"); });
}

}  // namespace svdlab::fuzz
