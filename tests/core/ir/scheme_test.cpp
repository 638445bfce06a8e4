#include "core/ir/scheme.h"

#include <gtest/gtest.h>

#include <set>

#include "core/base/error.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::throws_error;

TEST(Scheme, BuiltInsAreTheDocumentedOnesInOrder) {
  std::vector<std::string> names;
  for (const Scheme& s : built_in_schemes()) names.push_back(s.name);
  EXPECT_EQ(names, (std::vector<std::string>{"bf16", "w8a8", "w4a16-int4-g64", "w4a16-nf4-g64",
                                             "w4a8-int4-g64", "int4", "nvfp4", "mxfp4"}));
  for (const std::string& name : names) EXPECT_EQ(scheme_named(name).name, name);
}

TEST(Scheme, UnknownNameNamesTheNearest) {
  EXPECT_TRUE(throws_error([] { scheme_named("nvpf4"); }, Errc::kConfig, {"'nvpf4'", "'nvfp4'"}));
}

TEST(Scheme, Bf16QuantizesNothing) {
  EXPECT_FALSE(scheme_named("bf16").weights.has_value());
  EXPECT_FALSE(scheme_named("bf16").activations.has_value());
}

TEST(Scheme, Int4IsSvdquantsW4A4) {
  const Scheme& s = scheme_named("int4");
  EXPECT_EQ(s.weights, (TensorScheme{NumberFormat::kInt4, Grouping::kGroup, 64, ScaleFormat::kBf16, false}));
  EXPECT_EQ(s.activations->tensor, *s.weights);
  EXPECT_TRUE(s.activations->shift_after_gelu);
}

TEST(Scheme, Nvfp4HasTwoLevelsForWeightsAndOneForActivations) {
  const Scheme& s = scheme_named("nvfp4");
  EXPECT_EQ(s.weights,
            (TensorScheme{NumberFormat::kFp4E2M1, Grouping::kGroup, 16, ScaleFormat::kE4M3, true}));
  EXPECT_EQ(s.activations->tensor,
            (TensorScheme{NumberFormat::kFp4E2M1, Grouping::kGroup, 16, ScaleFormat::kE4M3, false}));
  EXPECT_FALSE(s.activations->shift_after_gelu);
}

TEST(Scheme, OthersDifferInFormatAndGrouping) {
  EXPECT_EQ(scheme_named("mxfp4").weights->scale, ScaleFormat::kE8M0);
  EXPECT_EQ(scheme_named("mxfp4").activations->tensor.group, 32);
  EXPECT_EQ(scheme_named("w8a8").weights->grouping, Grouping::kRow);
  EXPECT_EQ(scheme_named("w8a8").activations->tensor.scale, ScaleFormat::kFp32);
  EXPECT_EQ(scheme_named("w4a8-int4-g64").weights->format, NumberFormat::kInt4);
  EXPECT_EQ(scheme_named("w4a8-int4-g64").activations->tensor.format, NumberFormat::kInt8);
  EXPECT_EQ(scheme_named("w4a16-nf4-g64").weights->format, NumberFormat::kNf4);
  EXPECT_FALSE(scheme_named("w4a16-nf4-g64").activations.has_value());
  EXPECT_FALSE(scheme_named("w4a16-int4-g64").activations.has_value());
}

TEST(Scheme, BitsAndNames) {
  TensorScheme s;
  std::set<std::string> names;
  for (NumberFormat f : {NumberFormat::kInt4, NumberFormat::kUint4, NumberFormat::kInt8, NumberFormat::kNf4,
                         NumberFormat::kFp4E2M1}) {
    s.format = f;
    EXPECT_EQ(s.code_bits(), f == NumberFormat::kInt8 ? 8 : 4);
    names.insert(to_string(f));
  }
  EXPECT_EQ(names, (std::set<std::string>{"int4", "uint4", "int8", "nf4", "e2m1"}));
  double bits = 0;
  for (ScaleFormat f : {ScaleFormat::kFp32, ScaleFormat::kBf16, ScaleFormat::kE4M3, ScaleFormat::kE8M0}) {
    s.scale = f;
    bits = 100 * bits + s.scale_bits();
    names.insert(to_string(f));
  }
  EXPECT_EQ(bits, 32160808);
  EXPECT_EQ(names.size(), 9u);
}

}  // namespace
}  // namespace svdlab
