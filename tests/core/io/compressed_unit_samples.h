#pragma once
#include "core/io/compressed_unit.h"
#include "core/ir/quantize.h"
#include "tests/support/support.h"

namespace svdlab::testing {

inline Tensor random_bf16(at::IntArrayRef sizes, const std::string& name) {
  return random_tensor(sizes, name).to(at::kBFloat16).to(at::kFloat);
}

/// A linear with random contents under `scheme`; its smoothing vector and down factor are its own.
inline CompressedLinear random_compressed(const std::string& name, int64_t rows, int64_t cols, int64_t rank,
                                          const Scheme& scheme) {
  CompressedLinear linear{.name = name};
  linear.smooth = random_bf16({cols}, name + "/smooth").abs().add(0.5).to(at::kBFloat16).to(at::kFloat);
  linear.bias = random_bf16({rows}, name + "/bias");
  linear.branches.push_back(
      LowBitBranch{quantize(random_tensor({rows, cols}, name + "/weight"), *scheme.weights),
                   scheme.activations,
                   {{0, cols / 2, Producer::kAttention}, {cols / 2, cols, Producer::kGelu}}});
  if (rank > 0)
    linear.branches.push_back(
        LowRankBranch{random_bf16({rank, cols}, name + "/down"), random_bf16({rows, rank}, name + "/up")});
  return linear;
}

/// Two linears that share the smoothing vector and the down factor, and one that shares the vector alone.
inline CompressedUnit sharing_unit(const std::string& prefix, const Scheme& scheme, int64_t cols = 128) {
  CompressedUnit unit;
  for (const char* name : {"q", "k", "mlp"})
    unit.push_back(
        {random_compressed(prefix + name, 24, cols, 4, scheme), prefix + "q", scheme.name, "test"});
  for (UnitLinear& item : unit) {
    item.linear.smooth = unit[0].linear.smooth;
    item.linear.smooth_sharers = 3;
  }
  auto& first = std::get<LowRankBranch>(unit[0].linear.branches[1]);
  auto& second = std::get<LowRankBranch>(unit[1].linear.branches[1]);
  second.down = first.down;
  first.sharers = second.sharers = 2;
  return unit;
}

inline void expect_identical_tensors(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.defined(), expected.defined());
  if (expected.defined()) expect_identical(actual, expected);
}

/// Fails unless every field of both agrees bit for bit.
inline void expect_identical_linears(const CompressedLinear& actual, const CompressedLinear& expected) {
  EXPECT_EQ(actual.name, expected.name);
  EXPECT_EQ(actual.smooth_sharers, expected.smooth_sharers);
  expect_identical_tensors(actual.smooth, expected.smooth);
  expect_identical_tensors(actual.bias, expected.bias);
  ASSERT_EQ(actual.branches.size(), expected.branches.size());
  for (size_t i = 0; i < expected.branches.size(); ++i) {
    ASSERT_EQ(actual.branches[i].index(), expected.branches[i].index());
    if (const auto* want = std::get_if<LowBitBranch>(&expected.branches[i])) {
      const auto& got = std::get<LowBitBranch>(actual.branches[i]);
      EXPECT_EQ(got.weight.scheme, want->weight.scheme);
      EXPECT_EQ(got.activations, want->activations);
      expect_identical(got.weight.codes, want->weight.codes);
      expect_identical(got.weight.scales, want->weight.scales);
      EXPECT_EQ(got.weight.tensor_scale, want->weight.tensor_scale);
      ASSERT_EQ(got.segments.size(), want->segments.size());
      for (size_t s = 0; s < want->segments.size(); ++s) {
        EXPECT_EQ(got.segments[s].begin, want->segments[s].begin);
        EXPECT_EQ(got.segments[s].end, want->segments[s].end);
        EXPECT_EQ(got.segments[s].producer, want->segments[s].producer);
      }
    } else {
      const auto& low = std::get<LowRankBranch>(expected.branches[i]);
      const auto& got_low = std::get<LowRankBranch>(actual.branches[i]);
      expect_identical(got_low.down, low.down);
      expect_identical(got_low.up, low.up);
      EXPECT_EQ(got_low.sharers, low.sharers);
    }
  }
}

}  // namespace svdlab::testing
