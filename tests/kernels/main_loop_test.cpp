#include "kernels/main_loop.h"

#include <gtest/gtest.h>

#include "tests/support/errors.h"

namespace svdlab {
namespace {

using testing::throws_error;

const LoopProblem kInt4{.m = 4608, .n = 3072, .k = 3072, .rank = 32};
const LoopProblem kFp4{.m = 4608,
                       .n = 3072,
                       .k = 3072,
                       .rank = 32,
                       .a_format = NumberFormat::kFp4E2M1,
                       .w_format = NumberFormat::kFp4E2M1,
                       .a_scale = ScaleFormat::kE4M3,
                       .w_scale = ScaleFormat::kE4M3,
                       .a_group = 16,
                       .w_group = 16};
const LoopProblem kW4A8{.m = 4608,
                        .n = 3072,
                        .k = 3072,
                        .rank = 32,
                        .a_format = NumberFormat::kInt8,
                        .a_scale = ScaleFormat::kFp32,
                        .a_group = 3072};

TEST(MainLoop, EachArchitectureHasItsChoice) {
  EXPECT_EQ(choose_main_loop(kInt4, 90).chosen, MainLoop::kExact);
  EXPECT_EQ(choose_main_loop(kInt4, 80).chosen, MainLoop::kMmaS4);
  EXPECT_EQ(choose_main_loop(kInt4, 89).chosen, MainLoop::kMmaS4);
  EXPECT_EQ(choose_main_loop(kFp4, 90).chosen, MainLoop::kNvfp4);
  EXPECT_EQ(choose_main_loop(kFp4, 120).chosen, MainLoop::kNvfp4Block);
  EXPECT_EQ(choose_main_loop(kW4A8, 90).chosen, MainLoop::kInt8);
  EXPECT_EQ(choose_main_loop(kInt4, 120).chosen, MainLoop::kMmaS4);  // wgmma is sm_90's alone
  EXPECT_EQ(choose_main_loop(kInt4, 75).chosen, std::nullopt);
}

TEST(MainLoop, DecisionsPrintEveryReason) {
  EXPECT_EQ(choose_main_loop(kInt4, 90).to_string(),
            "exact; nvfp4_block: the device is sm_90, block-scaled mma needs sm_120 or sm_121");
  EXPECT_EQ(
      choose_main_loop(kFp4, 90).to_string(),
      "nvfp4; nvfp4_block: the device is sm_90, block-scaled mma needs sm_120 or sm_121; exact: activations "
      "are "
      "e2m1, needs int4; int8: activations are e2m1, needs int8; mma_s4: activations are e2m1, needs int4");
  const LoopDecision none = choose_main_loop(kInt4, 75);
  EXPECT_EQ(none.declined.size(), 5u);
  EXPECT_EQ(none.to_string().substr(0, 6), "none; ");
}

TEST(MainLoop, ReasonsNameTheNumbers) {
  const auto reason = [](auto change, MainLoop loop = MainLoop::kExact, LoopProblem problem = kInt4) {
    change(problem);
    return why_declined(loop, problem, 90).value_or("accepted");
  };
  EXPECT_EQ(reason([](LoopProblem&) {}), "accepted");
  EXPECT_EQ(reason([](LoopProblem& p) { p.n = 3076; }), "N is 3076, needs a multiple of 8");
  EXPECT_EQ(reason([](LoopProblem& p) { p.k = 3080; }), "K is 3080, needs a multiple of 64");
  EXPECT_EQ(reason([](LoopProblem& p) { p.rank = 24; }), "rank is 24, needs 0 to 128 in steps of 16");
  EXPECT_EQ(reason([](LoopProblem& p) { p.rank = 144; }), "rank is 144, needs 0 to 128 in steps of 16");
  EXPECT_EQ(reason([](LoopProblem& p) { p.a_group = 32; }), "activations have group 32, needs 64");
  EXPECT_EQ(reason([](LoopProblem& p) { p.w_scale = ScaleFormat::kFp32; }),
            "weights have fp32 scales, needs bf16");
  const auto norm_rope_of_32 = [](LoopProblem& p) {
    p.epilogue = EpilogueKind::kNormRope;
    p.head_dim = 32;
  };
  EXPECT_EQ(reason(norm_rope_of_32), "heads have 32 channels, norm and rope need 64 or 128");
  EXPECT_EQ(reason([](LoopProblem& p) { p.a_group = 1024; }, MainLoop::kInt8, kW4A8),
            "activations have group 1024, needs 3072");
}

TEST(MainLoop, NamesComeBack) {
  for (const MainLoop loop :
       {MainLoop::kExact, MainLoop::kInt8, MainLoop::kMmaS4, MainLoop::kNvfp4, MainLoop::kNvfp4Block})
    EXPECT_EQ(main_loop_named(to_string(loop)), loop);
  EXPECT_TRUE(throws_error([] { main_loop_named("exakt"); }, Errc::kConfig, {"'exakt'", "'exact'"}));
}

}  // namespace
}  // namespace svdlab
