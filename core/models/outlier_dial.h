#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/models/model.h"

namespace svdlab {

/// Makes some input channels of a model's linears larger, or spreads what is large, without changing what the
/// model computes, so that methods can be compared under outliers as large models have them (arXiv
/// 2211.10438, section 3).
struct OutlierDial {
  int64_t channels = 0;        ///< of each input that can be scaled; 0: off
  double strength = 1;         ///< factor of these channels, a power of two; 1: off
  uint64_t seed = 0;           ///< which channels
  bool rotate_values = false;  ///< attention's values times a Hadamard matrix, head by head

  bool scales() const { return channels > 0 && strength != 1; }
  bool on() const { return scales() || rotate_values; }
  /// "" when off, else e.g. "outliers-8x16" (with "-seed1" when the seed is not 0), "rotated-values" or both.
  std::string tag() const;
  Value to_value() const;
  bool operator==(const OutlierDial&) const = default;
};

/// Keys channels, strength, seed, rotate_values. Throws kConfig for a negative count or a strength that is no
/// power of two
/// >= 1.
OutlierDial parse_outlier_dial(const Value& value, const std::string& path);

/// Scales chosen input channels of every linear group whose producer can take up the factor:
/// - behind a modulated norm: row k of shift *= c, and of scale (1 + s_k) -> c (1 + s_k), hence its weight
/// row *= c
///   and its bias b -> c (b + 1) - 1; the consumers' columns /= c;
/// - behind attention: row k of the value projections *= c, the columns of the output projections /= c.
/// With rotate_values, and after that, the output side of the value projections is multiplied by the
/// orthonormal Hadamard matrix H of the head size: v -> v H in every head, and the columns W -> W H of the
/// output projections, which see the attention of v H = (the attention of v) H. Nothing is left to do at run
/// time (Quamba, arXiv 2410.13229, does the same to a scan's output). GELU is not linear, so inputs behind it
/// stay as they are. Touched tensors become fp32 copies. In exact arithmetic the output is unchanged; in fp32
/// it differs by rounding, of scaled channels of c (b + 1) - 1 only. Throws kConfig when `channels` exceeds
/// the channels of an input or no Hadamard matrix has the head's size, kUnexpected for a graph it cannot
/// follow.
void apply_outlier_dial(Model& model, const OutlierDial& dial);

}  // namespace svdlab
