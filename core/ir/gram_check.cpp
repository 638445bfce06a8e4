#include "core/ir/gram_check.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace svdlab {
namespace {

constexpr double kTolerance = 1e-4;
constexpr int64_t kSteps = 32;      // of Lanczos
constexpr int64_t kTile = 64;       // so that a tile and its mirror image stay in the cache
constexpr int64_t kGpuRows = 1024;  // at once

class GramCheck {
 public:
  GramCheck(const Tensor& gram, const std::string& group) : gram_(gram), group_(group), size_(gram.size(0)) {}

  /// On a GPU, without saying what is wrong; and what is wrong by eigenvalues is refused.
  bool looks_sound() {
    const Tensor diagonal = gram_.diagonal();
    if (!(diagonal.isfinite().logical_and(diagonal >= 0)).all().item<bool>()) return false;
    inverse_ = at::where(diagonal > 0, diagonal.rsqrt(), at::zeros_like(diagonal));
    for (int64_t r = 0; r < size_; r += kGpuRows)
      if (!rows_look_sound(r, std::min(r + kGpuRows, size_))) return false;
    check_eigenvalues();
    return true;
  }

  void run() {
    g_ = gram_.data_ptr<double>();
    scale_by_diagonal();
    for (int64_t r = 0; r < size_; r += kTile)
      for (int64_t c = 0; c <= r; c += kTile) check_tile(r, c);
    check_eigenvalues();
  }

 private:
  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    throw Error(Errc::kInput, concat("statistics of group ", group_, ": the Gram matrix of ", size_,
                                     " channels ", parts..., "; collect the statistics again"));
  }

  bool rows_look_sound(int64_t begin, int64_t end) const {
    const Tensor rows = gram_.slice(0, begin, end), across = gram_.slice(1, begin, end).t();
    const Tensor scale = inverse_.slice(0, begin, end).unsqueeze(1) * inverse_;
    const Tensor bounded =
        (rows.abs() * scale <= 1 + kTolerance).logical_and((scale > 0).logical_or(rows == 0));
    const Tensor symmetric = (rows - across).abs() * scale <= kTolerance;
    return bounded.logical_and(symmetric).all().item<bool>();  // neither is true of a NaN
  }

  double at(int64_t r, int64_t c) const { return g_[r * size_ + c]; }

  void scale_by_diagonal() {
    inverse_ = at::zeros({size_}, at::kDouble);
    for (int64_t i = 0; i < size_; ++i) {
      const double d = at(i, i);
      if (!std::isfinite(d)) refuse("holds ", d, " at (", i, ", ", i, ")");
      if (d < 0) refuse("has a negative diagonal: channel ", i, " is ", d);
      inverse_.data_ptr<double>()[i] = d > 0 ? 1 / std::sqrt(d) : 0;
    }
  }

  void check_tile(int64_t row, int64_t col) const {
    const double* inverse = inverse_.data_ptr<double>();
    for (int64_t r = row; r < std::min(row + kTile, size_); ++r)
      for (int64_t c = col; c < std::min(col + kTile, r); ++c) {
        const double below = at(r, c), above = at(c, r), scale = inverse[r] * inverse[c];
        if (!std::isfinite(below) || !std::isfinite(above))
          refuse("holds ", below, " at (", r, ", ", c, ") and ", above, " across the diagonal");
        // A channel that was always 0 has a scale of 0, and nothing but zeros beside it.
        if (scale == 0 && (below != 0 || above != 0))
          refuse("holds ", below, " at (", r, ", ", c, "), where a channel has no energy");
        if (std::abs(below - above) * scale > kTolerance)
          refuse("is not symmetric: ", below, " at (", r, ", ", c, ") and ", above, " across the diagonal");
        if (std::abs(below) * scale > 1 + kTolerance)
          refuse("is not positive semidefinite: ", below, " at (", r, ", ", c,
                 ") is above what its diagonal allows, ", 1 / scale);
      }
  }

  // Lanczos with full reorthogonalisation; its extreme eigenvalues are those of the matrix, from inside.
  void check_eigenvalues() const {
    const int64_t steps = std::min(kSteps, size_);
    Tensor v = at::empty({size_}, at::kDouble);
    const Rng rng(0, "gram-check");
    for (int64_t i = 0; i < size_; ++i)
      v.data_ptr<double>()[i] = static_cast<double>(rng.block(static_cast<uint64_t>(i))[0]) - 2147483648.0;
    v = v.to(gram_.device());
    Tensor basis = at::zeros({steps, size_}, v.options()),
           tridiagonal = at::zeros({steps, steps}, at::kDouble);
    int64_t done = 0;
    for (double norm = v.norm().item<double>(); done < steps && norm > 1e-10; ++done) {
      basis[done].copy_(v.div_(norm));
      if (done > 0) tridiagonal[done][done - 1] = tridiagonal[done - 1][done] = norm;
      v = at::mv(gram_, basis[done] * inverse_).mul_(inverse_);
      tridiagonal[done][done] = at::dot(v, basis[done]).item<double>();
      const Tensor known = basis.slice(0, 0, done + 1);
      for (int pass = 0; pass < 2; ++pass) v.sub_(at::mv(known.t(), at::mv(known, v)));
      norm = v.norm().item<double>();
    }
    const Tensor values = at::linalg_eigvalsh(tridiagonal.slice(0, 0, done).slice(1, 0, done));
    const double least = values[0].item<double>(), most = values[done - 1].item<double>();
    if (!(least >= -kTolerance * most))
      refuse("is not positive semidefinite: with channels scaled to 1 it has an eigenvalue of ", least,
             " beside ", most);
  }

  const Tensor& gram_;
  const std::string& group_;
  int64_t size_;
  const double* g_ = nullptr;
  Tensor inverse_;  // [K] 1 / sqrt(diagonal), 0 where that is 0
};

}  // namespace

void require_gram(const Tensor& gram, const std::string& group) {
  SVDLAB_REQUIRE(gram.dim() == 2 && gram.size(0) == gram.size(1) && gram.size(0) > 0 &&
                     gram.scalar_type() == at::kDouble && gram.is_contiguous(),
                 Errc::kInput, "statistics of group ", group, ": the Gram matrix is ", gram.sizes(), " ",
                 gram.dtype(), ", must be square and fp64");
  if (gram.device().is_cpu()) return GramCheck(gram, group).run();
  if (GramCheck(gram, group).looks_sound()) return;
  const Tensor here = gram.cpu();  // which says what is wrong, and has the last word
  GramCheck(here, group).run();
}

}  // namespace svdlab
