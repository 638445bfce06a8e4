#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace svdlab {

/// Counter-based generator Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC
/// 2011). A value depends only on (key, index): any thread may draw any part of a stream, in any order, on
/// any machine.
class Rng {
 public:
  /// The stream named `name` under `seed`; streams of different names are independent.
  Rng(uint64_t seed, std::string_view name) : key_(mix(seed, name)) {}

  /// 32 uniform bits at position `index`.
  uint32_t bits(uint64_t index) const { return block(index / 4)[index % 4]; }

  /// Uniform in [0, 1) with 24 bits.
  float uniform(uint64_t index) const { return static_cast<float>(bits(index) >> 8) * 0x1p-24f; }

  /// Standard normal at position `index` (Box-Muller over a pair, evaluated in double).
  double normal(uint64_t index) const {
    const auto b = block(index / 2);
    const double u1 = (static_cast<double>(b[0]) + 1.0) * 0x1p-32;  // (0, 1]: log never sees zero
    const double angle = 6.283185307179586476925286766559 * (static_cast<double>(b[1]) * 0x1p-32);
    return std::sqrt(-2.0 * std::log(u1)) * (index % 2 == 0 ? std::cos(angle) : std::sin(angle));
  }

  /// Uniform integer in [0, n), n > 0.
  uint64_t below(uint64_t index, uint64_t n) const {
    const auto b = block(index);
    const uint64_t wide = (static_cast<uint64_t>(b[0]) << 32) | b[1];
    return static_cast<uint64_t>((static_cast<unsigned __int128>(wide) * n) >> 64);
  }

  /// The four words of counter block `counter`; pins the generator to its published test vectors.
  std::array<uint32_t, 4> block(uint64_t counter) const {
    return philox({static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0},
                  {static_cast<uint32_t>(key_), static_cast<uint32_t>(key_ >> 32)});
  }

  static std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53} * c[0];
      const uint64_t p1 = uint64_t{0xCD9E8D57} * c[2];
      c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
           static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
      k[0] += 0x9E3779B9;
      k[1] += 0xBB67AE85;
    }
    return c;
  }

 private:
  // FNV-1a over the name, finished with splitmix64, so that near names give far keys.
  static uint64_t mix(uint64_t seed, std::string_view name) {
    uint64_t h = 0xcbf29ce484222325ull;
    for (const char ch : name) h = (h ^ static_cast<unsigned char>(ch)) * 0x100000001b3ull;
    uint64_t z = h + seed * 0x9E3779B97F4A7C15ull + 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }

  uint64_t key_;
};

}  // namespace svdlab
