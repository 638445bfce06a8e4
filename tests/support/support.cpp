#include "tests/support/support.h"

#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "core/base/rng.h"

namespace svdlab::testing {

Tensor random_tensor(at::IntArrayRef sizes, const std::string& name) {
  Tensor t = at::empty(sizes, at::kFloat);
  const Rng rng(0, name);
  float* data = t.data_ptr<float>();
  for (int64_t i = 0; i < t.numel(); ++i) data[i] = static_cast<float>(rng.normal(static_cast<uint64_t>(i)));
  return t;
}

double relative_difference(const Tensor& actual, const Tensor& expected) {
  const Tensor a = actual.detach().cpu().to(at::kDouble).contiguous();
  const Tensor e = expected.detach().cpu().to(at::kDouble).contiguous();
  const double *pa = a.data_ptr<double>(), *pe = e.data_ptr<double>();
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < e.numel(); ++i) {
    // Equal infinities differ by nothing; inf - inf would say NaN.
    const double d = pa[i] == pe[i] ? 0.0 : pa[i] - pe[i];
    difference += d * d;
    norm += pe[i] * pe[i];
  }
  if (difference == 0.0) return 0.0;
  return std::sqrt(difference) / std::sqrt(norm);
}

void expect_close(const Tensor& actual, const Tensor& expected, double rel_tol, const char* file, int line) {
  if (actual.sizes() != expected.sizes()) {
    ADD_FAILURE_AT(file, line) << "shape " << actual.sizes() << ", not " << expected.sizes();
    return;
  }
  const double ratio = relative_difference(actual, expected);
  const bool ok = ratio <= rel_tol;
  if (!ok)
    ADD_FAILURE_AT(file, line) << "relative difference " << ratio << " > " << rel_tol << " ("
                               << ratio / rel_tol << " times the tolerance)";
}

void expect_close(double actual, double expected, double rel_tol, const char* file, int line) {
  if (actual == expected) return;
  const double ratio = std::abs(actual - expected) / std::abs(expected);
  const bool ok = ratio <= rel_tol;
  if (!ok)
    ADD_FAILURE_AT(file, line) << actual << ", not " << expected << ": relative difference " << ratio << " > "
                               << rel_tol;
}

void expect_identical(const Tensor& actual, const Tensor& expected, const char* file, int line) {
  if (actual.sizes() != expected.sizes() || actual.scalar_type() != expected.scalar_type()) {
    ADD_FAILURE_AT(file, line) << actual.scalar_type() << actual.sizes() << ", not " << expected.scalar_type()
                               << expected.sizes();
    return;
  }
  const Tensor a = actual.detach().cpu().contiguous(), e = expected.detach().cpu().contiguous();
  const size_t size = e.element_size();
  const char *pa = static_cast<const char*>(a.data_ptr()), *pe = static_cast<const char*>(e.data_ptr());
  int64_t differing = 0, first = -1;
  for (int64_t i = 0; i < e.numel(); ++i)
    if (std::memcmp(pa + i * size, pe + i * size, size) != 0 && differing++ == 0) first = i;
  if (differing > 0)
    ADD_FAILURE_AT(file, line) << differing << " of " << e.numel() << " elements differ, the first at "
                               << first << ": " << a.flatten()[first].item<double>() << ", not "
                               << e.flatten()[first].item<double>();
}

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "svdlab-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace svdlab::testing
