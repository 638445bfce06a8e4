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

/// Linears of every kind of input: a static affine range for each segment behind an offset, with affine
/// weights; a symmetric static range; cross ranges.
inline CompressedUnit input_kinds_unit(const std::string& prefix) {
  constexpr int64_t kRows = 24, kCols = 128;
  Scheme scheme = scheme_named("w8a8");
  TensorScheme& input = scheme.activations->tensor;
  CompressedUnit unit;
  const auto add = [&](const std::string& name) -> CompressedLinear& {
    unit.push_back({random_compressed(prefix + name, kRows, kCols, 4, scheme), prefix + name, "own", "test"});
    return unit.back().linear;
  };
  scheme.activations->range = Range::kCross;
  scheme.activations->exponent = 0.15;
  add("cross");
  scheme.activations->exponent = 1;
  input.grouping = Grouping::kTensor;
  scheme.activations->range = Range::kStatic;
  std::get<LowBitBranch>(add("symmetric").branches[0]).ranges =
      random_tensor({2, 2}, prefix + "ranges").abs() * at::tensor({1.0f, 0.0f});
  input.format = NumberFormat::kAffine;
  for (const int bits : {8, 3}) {
    input.bits = bits;
    CompressedLinear& linear = add("affine" + std::to_string(bits));
    linear.then = {Offset{random_bf16({kCols}, prefix + "add")}};
    linear.bias = random_tensor({kRows}, prefix + "bias");  // with the offset's response: no bf16 values
    auto& branch = std::get<LowBitBranch>(linear.branches[0]);
    branch.ranges = at::tensor({0.37f, 3.0f, 0.011f, 0.0f}).view({2, 2});
    branch.weight.scheme.format = NumberFormat::kAffine;
    branch.weight.scheme.bits = bits;
    branch.weight.zeros = at::full({kRows, 1}, 3.0f);
    encode(random_tensor({kRows, kCols}, prefix + "weight"), branch.weight);
  }
  return unit;
}

inline void expect_identical_tensors(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.defined(), expected.defined());
  if (expected.defined()) expect_identical(actual, expected);
}

inline void expect_identical_branches(const SparseBranch& actual, const SparseBranch& expected) {
  EXPECT_EQ(actual.in_features, expected.in_features);
  expect_identical(actual.starts, expected.starts);
  expect_identical(actual.columns, expected.columns);
  expect_identical(actual.values, expected.values);
}
inline void expect_identical_branches(const ColumnsBranch& actual, const ColumnsBranch& expected) {
  EXPECT_EQ(actual.threshold, expected.threshold);
  expect_identical(actual.columns, expected.columns);
  expect_identical(actual.weight, expected.weight);
}
inline void expect_identical_branches(const KroneckerBranch& actual, const KroneckerBranch& expected) {
  expect_identical(actual.left, expected.left);
  expect_identical(actual.right, expected.right);
}
inline void expect_identical_branches(const LowRankBranch& actual, const LowRankBranch& expected) {
  expect_identical(actual.down, expected.down);
  expect_identical(actual.up, expected.up);
  EXPECT_EQ(actual.sharers, expected.sharers);
}
inline void expect_identical_branches(const LowBitBranch& actual, const LowBitBranch& expected) {
  const QuantizedTensor &got = actual.weight, &want = expected.weight;
  EXPECT_EQ(got.scheme, want.scheme);
  EXPECT_EQ(actual.activations, expected.activations);
  expect_identical(got.codes, want.codes);
  expect_identical(got.scales, want.scales);
  EXPECT_EQ(got.tensor_scale, want.tensor_scale);
  expect_identical_tensors(got.zeros, want.zeros);
  expect_identical_tensors(got.codebook, want.codebook);
  expect_identical_tensors(actual.ranges, expected.ranges);
  ASSERT_EQ(actual.segments.size(), expected.segments.size());
  for (size_t s = 0; s < expected.segments.size(); ++s) {
    EXPECT_EQ(actual.segments[s].begin, expected.segments[s].begin);
    EXPECT_EQ(actual.segments[s].end, expected.segments[s].end);
    EXPECT_EQ(actual.segments[s].producer, expected.segments[s].producer);
  }
}

/// Fails unless every field of both agrees bit for bit.
inline void expect_identical_linears(const CompressedLinear& actual, const CompressedLinear& expected) {
  EXPECT_EQ(actual.name, expected.name);
  EXPECT_EQ(actual.smooth_sharers, expected.smooth_sharers);
  expect_identical_tensors(actual.smooth, expected.smooth);
  expect_identical_tensors(actual.bias, expected.bias);
  ASSERT_EQ(actual.then.size(), expected.then.size());
  for (size_t i = 0; i < expected.then.size(); ++i) {
    ASSERT_EQ(actual.then[i].index(), expected.then[i].index());
    const Tensor x = at::eye(expected.in_features());
    expect_identical(OnlineTransform({}, {actual.then[i]}).apply(x),
                     OnlineTransform({}, {expected.then[i]}).apply(x));
  }
  ASSERT_EQ(actual.branches.size(), expected.branches.size());
  for (size_t i = 0; i < expected.branches.size(); ++i) {
    ASSERT_EQ(actual.branches[i].index(), expected.branches[i].index());
    std::visit(
        [&](const auto& want) {
          expect_identical_branches(std::get<std::decay_t<decltype(want)>>(actual.branches[i]), want);
        },
        expected.branches[i]);
  }
}

}  // namespace svdlab::testing
