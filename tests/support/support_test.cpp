#include "tests/support/support.h"

#include <gtest/gtest-spi.h>

#include <cmath>
#include <filesystem>
#include <limits>

namespace svdlab::testing {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

Tensor with(Tensor t, int64_t index, double value) {
  t = t.clone();
  t.view(-1)[index] = value;
  return t;
}

TEST(Support, RandomTensorIsReproducibleAndNamed) {
  const Tensor a = random_tensor({4, 1000}, "a");
  expect_identical(a, random_tensor({4, 1000}, "a"));
  EXPECT_GT(relative_difference(random_tensor({4, 1000}, "b"), a), 1.0);
  EXPECT_NEAR(a.mean().item<double>(), 0.0, 0.05);
  EXPECT_NEAR(a.std().item<double>(), 1.0, 0.05);
}

TEST(Support, RelativeDifferenceKnowsItsValues) {
  const Tensor e = at::tensor({3.0, 4.0}, at::kDouble);
  EXPECT_DOUBLE_EQ(relative_difference(at::tensor({3.0, 4.5}, at::kDouble), e), 0.1);
  EXPECT_EQ(relative_difference(at::zeros({2}), at::zeros({2})), 0.0);
  EXPECT_EQ(relative_difference(e, at::zeros({2})), kInf);
  EXPECT_EQ(relative_difference(with(e, 0, kInf), with(e, 0, kInf)), 0.0);
  EXPECT_TRUE(std::isnan(relative_difference(with(e, 1, kNan), e)));
  EXPECT_TRUE(std::isnan(relative_difference(e, with(e, 1, kNan))));
}

TEST(Support, ExpectCloseRefusesWhatIsNotClose) {
  static const Tensor e = random_tensor({64, 8}, "e");
  expect_close(e + 1e-7, e, 1e-6);
  EXPECT_NONFATAL_FAILURE(expect_close(e * 1.1, e, 1e-3), "relative difference 0.1");
  EXPECT_NONFATAL_FAILURE(expect_close(with(e, 7, kNan), e, 1e9), "nan");
  EXPECT_NONFATAL_FAILURE(expect_close(e, with(e, 7, kNan), 1e9), "nan");
  EXPECT_NONFATAL_FAILURE(expect_close(with(e, 7, kInf), e, 1e9), "inf");
  EXPECT_NONFATAL_FAILURE(expect_close(e.flatten(), e, 1), "shape");
  EXPECT_NONFATAL_FAILURE(expect_close(1.0, 1.1, 1e-3), "relative difference");
  EXPECT_NONFATAL_FAILURE(expect_close(kNan, 1.0, 1e9), "nan");
  EXPECT_NONFATAL_FAILURE(expect_close(kNan, kNan, 1e9), "nan");
  expect_close(kInf, kInf, 0);
}

TEST(Support, ExpectIdenticalSeesOneBit) {
  static const Tensor e = random_tensor({64, 8}, "e");
  expect_identical(with(e, 3, kNan), with(e, 3, kNan));
  EXPECT_NONFATAL_FAILURE(expect_identical(with(e, 3, e.view(-1)[3].item<double>() * (1 + 1e-6)), e),
                          "1 of 512 elements differ, the first at 3");
  EXPECT_NONFATAL_FAILURE(expect_identical(at::zeros({1}), -at::zeros({1})), "1 of 1");
  EXPECT_NONFATAL_FAILURE(expect_identical(e.to(at::kDouble), e), "Double");
}

TEST(Support, ThrowsErrorLooksAtTypeCodeAndText) {
  const auto refuse = [] { throw Error(Errc::kInput, "file x: short"); };
  EXPECT_TRUE(throws_error(refuse, Errc::kInput, {"file x", "short"}));
  EXPECT_FALSE(throws_error(refuse, Errc::kConfig));
  EXPECT_FALSE(throws_error(refuse, Errc::kInput, {"long"}));
  EXPECT_FALSE(throws_error([] {}, Errc::kInput));
  EXPECT_FALSE(throws_error([] { throw std::runtime_error("x"); }, Errc::kInput));
}

TEST(Support, TempDirIsRemoved) {
  std::string path;
  {
    const TempDir dir;
    path = dir.path();
    std::filesystem::create_directories(dir.file("a/b"));
    EXPECT_TRUE(std::filesystem::exists(dir.file("a/b")));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace svdlab::testing
