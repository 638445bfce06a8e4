#include "kernels/hadamard_base.h"

#include <cmath>

#include "core/base/error.h"

namespace svdlab {
namespace {

// 1 for squares modulo the prime p, -1 for the others, 0 for 0.
int legendre(int a, int p) {
  a = ((a % p) + p) % p;
  if (a == 0) return 0;
  for (int x = 1; x < p; ++x)
    if (x * x % p == a) return 1;
  return -1;
}

// p = 3 modulo 4: I + S of order p + 1, S skew, its border +-1 and its core legendre(j - i).
std::vector<double> paley_first(int p) {
  const int n = p + 1;
  std::vector<double> m(static_cast<size_t>(n) * n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      double& entry = m[static_cast<size_t>(i) * n + j];
      if (i == j)
        entry = 1;
      else if (i == 0 || j == 0)
        entry = i == 0 ? 1 : -1;
      else
        entry = legendre(j - i, p);
    }
  return m;
}

// p = 1 modulo 4: [[C + I, C - I], [C - I, -C - I]] of order 2 (p + 1), C symmetric with a zero diagonal, its
// border 1 and its core legendre(j - i).
std::vector<double> paley_second(int p) {
  const int half = p + 1, n = 2 * half;
  std::vector<double> m(static_cast<size_t>(n) * n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      const int r = i % half, c = j % half;
      const int conference = r == c ? 0 : (r == 0 || c == 0) ? 1 : legendre(c - r, p);
      const bool low = i >= half, right = j >= half;
      const int identity = r == c ? 1 : 0;
      m[static_cast<size_t>(i) * n + j] = low && right   ? -conference - identity
                                          : low || right ? conference - identity
                                                         : conference + identity;
    }
  return m;
}

std::vector<double> scaled(std::vector<double> m, double factor) {
  for (double& entry : m) entry *= factor;
  return m;
}

// One value where the difference j - i is in {1, 2, 4}, a line of the Fano plane, another elsewhere: a on the
// lines and b off them are orthogonal for a^2 + 4 a b + 2 b^2 = 0, the root with the flatter result.
std::vector<double> fano() {
  const double b = 1, a = b * (std::sqrt(2.0) - 2);
  const double norm = std::sqrt(3 * a * a + 4 * b * b);
  std::vector<double> m(49);
  for (int i = 0; i < 7; ++i)
    for (int j = 0; j < 7; ++j) {
      const int d = (j - i + 7) % 7;
      m[i * 7 + j] = (d == 1 || d == 2 || d == 4 ? a : b) * std::sqrt(7.0) / norm;
    }
  return m;
}

}  // namespace

const std::vector<double>& hadamard_base(int order) {
  static const std::vector<double> three = scaled({1, -2, -2, -2, 1, -2, -2, -2, 1}, std::sqrt(3.0) / 3);
  static const std::vector<double> five =
      scaled({2, 3, 6, 6, 6, -6, -6, -3, 2, 6, -6, -2, 6, 3, -6, -6, 6, 2, -6, 3, -3, 6, -6, 6, -2},
             std::sqrt(5.0) / 11);
  static const std::vector<double> seven = fano();
  static const std::vector<double> twelve = paley_first(11), twenty = paley_first(19),
                                   twenty_eight = paley_second(13);
  switch (order) {
    case 3:
      return three;
    case 5:
      return five;
    case 7:
      return seven;
    case 12:
      return twelve;
    case 20:
      return twenty;
    case 28:
      return twenty_eight;
    default:
      throw Error(Errc::kConfig, concat("no base of order ", order,
                                        " for a Hadamard transform; there are 3, 5, 7, 12, 20, 28"));
  }
}

}  // namespace svdlab
