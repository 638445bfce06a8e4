#include "core/ir/online.h"

#include <gtest/gtest.h>

#include "tests/support/support.h"

namespace svdlab {
namespace {

using testing::expect_close;
using testing::expect_identical;
using testing::random_tensor;

constexpr int64_t kChannels = 96, kTokens = 40;

Tensor positive(const std::string& name) { return random_tensor({kChannels}, name).abs().add(0.25); }
Tensor signs(int64_t n) { return random_tensor({n}, "signs").sign(); }
Tensor orthogonal(int64_t runs, int64_t m) {
  return std::get<0>(at::linalg_qr(random_tensor({runs, m, m}, "blocks").to(at::kDouble))).to(at::kFloat);
}

struct Named {
  std::string name;
  OnlineTransform online;
};

std::vector<Named> transforms_to_test() {
  const Tensor order = at::arange(kChannels).flip(0).contiguous();
  const Divide divide{positive("divide")};
  const Offset offset{random_tensor({kChannels}, "offset")};
  const Hadamard whole{0, kChannels, kChannels, {}}, part{32, 96, 16, signs(64)};
  const Rotate rotate{16, 48, orthogonal(4, 8)};
  return {{"none", {}},
          {"smooth", {positive("smooth")}},
          {"divide", {{}, {divide}}},
          {"offset", {{}, {offset}}},
          {"permute", {{}, {Permute{order}}}},
          {"hadamard", {{}, {whole}}},
          {"hadamard_part", {{}, {part}}},
          {"rotate", {{}, {rotate}}},
          {"all", {positive("smooth"), {part, divide, Permute{order}, offset, rotate, whole}}}};
}

class Online : public ::testing::TestWithParam<Named> {
 protected:
  const OnlineTransform& online() const { return GetParam().online; }
  Tensor x_ = random_tensor({kTokens, kChannels}, "x");
};

TEST_P(Online, TheFoldedWeightGivesTheSameProduct) {
  const Tensor w = random_tensor({24, kChannels}, "w");
  expect_close(at::mm(online().apply_linear(x_), online().weight(w).t()), at::mm(x_, w.t()), 2e-6);
}

TEST_P(Online, ItIsALinearMapAndAConstant) {
  const Tensor c = online().constant(kChannels), linear = online().apply_linear(x_);
  expect_close(online().apply(x_), c.defined() ? linear + c : linear, 1e-6);
}

TEST_P(Online, GramIsThatOfTheMappedTokens) {
  const Tensor wide = x_.to(at::kDouble), mapped = online().apply_linear(wide);
  expect_close(online().gram(at::mm(wide.t(), wide)), at::mm(mapped.t(), mapped), 1e-7);
}

TEST_P(Online, TheInputStaysAsItIs) {
  const Tensor before = x_.clone();
  online().apply(x_);
  online().weight(x_);
  expect_identical(x_, before);
}

INSTANTIATE_TEST_SUITE_P(All, Online, ::testing::ValuesIn(transforms_to_test()),
                         [](const auto& info) { return info.param.name; });

TEST(OnlineBits, AreCountedByTheStep) {
  const auto bits = [](OnlineStep step) { return OnlineTransform({}, {std::move(step)}).bits(); };
  EXPECT_EQ(OnlineTransform(positive("s")).bits(), 16 * kChannels);
  EXPECT_EQ(bits(Divide{positive("s")}), 16 * kChannels);
  EXPECT_EQ(bits(Hadamard{0, kChannels, 32, {}}), 0);
  EXPECT_EQ(bits(Hadamard{0, kChannels, 32, signs(kChannels)}), kChannels);
  EXPECT_EQ(bits(Rotate{0, 32, orthogonal(4, 8)}), 32 * 4 * 64);
}

TEST(OnlineMixing, IsWhatMovesValuesBetweenChannels) {
  EXPECT_FALSE(OnlineTransform({}, {Divide{positive("s")}, Offset{positive("o")}}).mixes_channels());
  EXPECT_TRUE(OnlineTransform({}, {Hadamard{0, 32, 32, {}}}).mixes_channels());
  EXPECT_TRUE(OnlineTransform({}, {Permute{at::arange(kChannels)}}).mixes_channels());
}

}  // namespace
}  // namespace svdlab
