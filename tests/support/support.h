#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/ir/tensor.h"
#include "tests/support/errors.h"

namespace svdlab::testing {

// Tests live in namespace svdlab, where `testing::` finds this namespace: keep gtest's names reachable
// through it.
using namespace ::testing;  // NOLINT

/// Standard normal float32 from the project's generator, stream `name` under seed 0: equal on every machine.
Tensor random_tensor(at::IntArrayRef sizes, const std::string& name);

/// ||actual - expected|| / ||expected|| in double; 0 when both are equal (also both zero), NaN when either
/// holds a NaN, infinity when only `expected` is zero.
double relative_difference(const Tensor& actual, const Tensor& expected);

/// Fails unless shapes agree and relative_difference(actual, expected) <= rel_tol; prints the achieved ratio.
void expect_close(const Tensor& actual, const Tensor& expected, double rel_tol,
                  const char* file = __builtin_FILE(), int line = __builtin_LINE());
/// The same for numbers: |actual - expected| <= rel_tol * |expected|; equal infinities are close, NaN never
/// is.
void expect_close(double actual, double expected, double rel_tol, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE());

/// Fails unless shape, dtype and every byte agree; NaNs with equal bits are equal.
void expect_identical(const Tensor& actual, const Tensor& expected, const char* file = __builtin_FILE(),
                      int line = __builtin_LINE());

/// A fresh folder that is removed with everything in it when the object dies.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace svdlab::testing
