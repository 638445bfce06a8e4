#include "core/ir/quantize.h"
#include "tests/quant/weight_problems.h"

namespace svdlab {
namespace {

using testing::best_relative_error;
using testing::embedded_linears;
using testing::relative_error;
using testing::weights;
using testing::whole_tensor;

Tensor round_trip(const Tensor& w, const TensorScheme& scheme = whole_tensor()) {
  return dequantize(weights("twin-log")->quantize(w, scheme, {}));
}

TEST(TwinLog, ZerosAndSignsAreExact) {
  for (const Tensor& w : {testing::student_tensor({64, 128}, "t3"), testing::random_tensor({64, 128}, "z")}) {
    w.slice(1, 0, 9).zero_();
    const Tensor back = round_trip(w);
    EXPECT_TRUE((back.slice(1, 0, 9) == 0).all().item<bool>());
    EXPECT_TRUE((back * w >= 0).all().item<bool>()) << "a sign has changed";
  }
}

// Against 16 evenly spaced levels under the best of many scales; of normal numbers nothing is claimed.
TEST(TwinLog, BetterThanEvenStepsOnHeavyTails) {
  const Tensor even = at::linspace(-1, 1, 16);
  for (const Tensor& w :
       {testing::laplace_tensor({256, 256}, "laplace"), testing::student_tensor({256, 256}, "t3")}) {
    const double log = relative_error(w, round_trip(w)), uniform = best_relative_error(w, even);
    EXPECT_TRUE(log < 0.9 * uniform) << log << " against " << uniform;
  }
}

TEST(TwinLog, EachSignHasLevelsOfItsOwn) {
  Tensor w = testing::random_tensor({64, 128}, "skewed");
  w = at::where(w > 0, w * 8, w * 0.5);
  const QuantizedTensor q = weights("twin-log")->quantize(w, whole_tensor(), {});
  ASSERT_EQ(q.codebook.numel(), 15);
  EXPECT_TRUE(q.codebook[14].item<float>() > 4 * -q.codebook[0].item<float>());
  for (const bool negative : {true, false}) {
    const Tensor side = negative ? q.codebook.slice(0, 0, 7).neg().flip(0) : q.codebook.slice(0, 8);
    const Tensor steps = side.log2().diff();
    EXPECT_TRUE((steps - steps[0]).abs().max().item<double>() < 1e-5) << steps;
  }
}

TEST(TwinLog, TheSearchIsAtLeastAsGoodAsTheWholeRange) {
  for (const LinearSpec& linear : embedded_linears()) {
    const Tensor w = linear.weight.to(at::kFloat);
    const TensorScheme scheme = *scheme_named("w4a16-int4-g64").weights;
    const QuantizedTensor q = weights("twin-log")->quantize(w, scheme, {});
    // Top 1 and 7 levels over 12 octaves: no clipping.
    std::vector<float> levels = {0.0f};
    for (int k = 0; k < 7; ++k)
      for (const float sign : {1.0f, -1.0f})
        levels.push_back(sign * std::exp2(-2.0f * static_cast<float>(k)));
    const Tensor unclipped =
        dequantize(quantize_to_codebook(w, scheme, std::get<0>(at::tensor(levels).sort())));
    EXPECT_TRUE(relative_error(w, dequantize(q)) < 0.6 * relative_error(w, unclipped)) << linear.name;
  }
}

TEST(TwinLog, NothingButZerosAndOneSignAloneAreFine) {
  const Tensor positive = testing::random_tensor({8, 64}, "p").abs();
  EXPECT_TRUE(relative_error(positive, round_trip(positive)) < 0.05);
  testing::expect_identical(round_trip(at::zeros({8, 64})), at::zeros({8, 64}));
}

}  // namespace
}  // namespace svdlab
