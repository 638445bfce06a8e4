#pragma once
#include <algorithm>
#include <string>

#include "core/base/rng.h"

namespace svdlab::fuzz {

/// Changes a file in 1 to 4 places: bytes set, flipped, removed, repeated, digits put in, numbers made
/// extreme, the end cut off. Equal for equal `number`; half of the places lie in the first 512 bytes, where
/// headers are.
class Mutator {
 public:
  explicit Mutator(const std::string& format) : rng_(1, "mutated " + format) {}

  std::string operator()(std::string file, uint64_t number) const {
    const uint64_t draw = number * 64, changes = 1 + rng_.below(draw, 4);
    for (uint64_t i = 0; i < changes && !file.empty(); ++i) change(file, draw + 8 * (i + 1));
    return file;
  }

 private:
  void change(std::string& file, uint64_t draw) const {
    const bool early = rng_.below(draw, 2) == 0;
    const size_t at = rng_.below(draw + 1, early ? std::min<size_t>(file.size(), 512) : file.size());
    const size_t n = std::min<size_t>(1 + rng_.below(draw + 2, 8), file.size() - at);
    const uint64_t byte = rng_.below(draw + 3, 256);
    switch (rng_.below(draw + 4, 16)) {
      case 0:
        return file.resize(at);
      case 1:
      case 2:
        file.erase(at, n);
        return;
      case 3:
      case 4:
        file.insert(at, file.substr(at, n));
        return;
      case 5:
        file.insert(at, std::string(n, static_cast<char>('0' + byte % 10)));
        return;
      case 6:
      case 7:
        std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(at), n,
                    static_cast<char>(byte % 2 ? 0xff : 0));
        return;
      case 8:
      case 9:
      case 10:
        file[at] = static_cast<char>(byte);
        return;
      default:
        file[at] = static_cast<char>(file[at] ^ (1 << byte % 8));
    }
  }

  Rng rng_;
};

}  // namespace svdlab::fuzz
