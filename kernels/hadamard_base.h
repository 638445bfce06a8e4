#pragma once
#include <vector>

namespace svdlab {

/// Matrices B of order 3, 5, 7, 12, 20 or 28 with B B^T = order I, row-major, from which transforms of other
/// lengths are built.
///   12, 20   Hadamard, entries +-1: Paley's first construction over the integers modulo 11 and 19.
///   28       Hadamard: Paley's second construction modulo 13 (his first would need a field of 27).
///   3, 5, 7  a Hadamard matrix exists for 1, 2 and multiples of 4 only. These are orthogonal and as flat as
///            any we know, for a flat matrix spreads an outlier best. Their largest entries: 1.155 for 3,
///            rows of 1, 2, 2 over 3 times the root of 3; 1.220 for 5, rows of 2, 3, 6, 6, 6 over 11 times
///            the root of 5; 1.180 for 7, two values, one where a line of the Fano plane has its points. 1 is
///            out of reach, a cosine transform has 1.414, and a search from 60 random starts found nothing
///            flatter.
/// Throws kConfig for other orders.
const std::vector<double>& hadamard_base(int order);

}  // namespace svdlab
