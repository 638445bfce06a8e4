#include <algorithm>
#include <cmath>

#include "kernels/hadamard.h"
#include "kernels/hadamard_base.h"
#include "kernels/wide.h"

namespace svdlab {
namespace {

// Seen as [n / (order stride), order, stride], y(o, j, s) = sum over i of x(o, i, s) base(i, j).
template <class T>
SVDLAB_WIDE void times_base(T* x, int64_t n, int64_t stride, const T* base, int64_t order, T* sums) {
  for (int64_t o = 0; o < n; o += order * stride) {
    T* in = x + o;
    std::fill_n(sums, order * stride, T(0));
    for (int64_t i = 0; i < order; ++i)
      for (int64_t j = 0; j < order; ++j) {
        const T factor = base[i * order + j];
        for (int64_t s = 0; s < stride; ++s) sums[j * stride + s] += in[i * stride + s] * factor;
      }
    std::copy_n(sums, order * stride, in);
  }
}

template <class T>
SVDLAB_WIDE void butterflies(T* x, int64_t n, int64_t stride) {
  for (int64_t o = 0; o < n; o += 2 * stride)
    for (int64_t s = 0; s < stride; ++s) {
      const T a = x[o + s], b = x[o + stride + s];
      x[o + s] = a + b;
      x[o + stride + s] = a - b;
    }
}

template <class T>
struct Factor {
  int64_t order, stride;
  std::vector<T> base;  // [order, order], transposed where asked; empty for order 2
};

template <class T>
std::vector<Factor<T>> factors_of(const HadamardPlan& plan, bool transposed) {
  std::vector<Factor<T>> out;
  int64_t stride = plan.size;
  for (const int order : plan.bases) {
    stride /= order;
    Factor<T> f{order, stride, {}};
    const std::vector<double>& base = hadamard_base(order);
    for (int64_t i = 0; i < order; ++i)
      for (int64_t j = 0; j < order; ++j)
        f.base.push_back(static_cast<T>(transposed ? base[j * order + i] : base[i * order + j]));
    out.push_back(std::move(f));
  }
  while (stride > 1) out.push_back({2, stride /= 2, {}});
  return out;
}

template <class T>
void transform(MatrixView<T> x, const HadamardPlan& plan, bool transposed) {
  const std::vector<Factor<T>> factors = factors_of<T>(plan, transposed);
  const T scale = static_cast<T>(1 / std::sqrt(static_cast<double>(plan.size)));
  std::vector<T> sums(plan.size);
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t c = 0; c < x.cols; c += plan.size) {
      T* run = x.row(r) + c;
      for (const Factor<T>& f : factors)
        f.base.empty() ? butterflies(run, plan.size, f.stride)
                       : times_base(run, plan.size, f.stride, f.base.data(), f.order, sums.data());
      for (int64_t i = 0; i < plan.size; ++i) run[i] *= scale;
    }
}

}  // namespace

void detail::hadamard_rows_cpu(MatrixView<float> x, const HadamardPlan& plan, bool transposed) {
  transform(x, plan, transposed);
}
void detail::hadamard_rows_cpu(MatrixView<double> x, const HadamardPlan& plan, bool transposed) {
  transform(x, plan, transposed);
}

}  // namespace svdlab
