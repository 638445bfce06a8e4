#pragma once
#include <optional>
#include <string>
#include <vector>

#include "kernels/packed_matrix.h"

namespace svdlab {

/// The ways to multiply two quantized matrices on a GPU. All have the meaning of gemm_quantized.h; they
/// differ in speed, in what they accept, and in how partial sums round.
enum class MainLoop {
  kExact,       ///< sm_90a: codes as e4m3, wgmma, group sums in fp16, scales as stored, fp32 every few groups
  kInt8,        ///< int8 activations with a scale per token. int8 weights: mma or (sm_90) wgmma s8, exact
                ///< sums. int4 weights: mma s8; on sm_90 code times scale is exact in fp16, 16-bit wgmma
  kMmaS4,       ///< mma.sync m16n8k64 s4 (u4 activations too): sm_80, sm_86, sm_89; emulated on sm_90
  kNvfp4,       ///< codes times e4m3 scales are exact in fp16: 16-bit mma or wgmma; sm_80 and later
  kNvfp4Block,  ///< sm_120a: mma with block scales
};

/// What follows the product, see gemm_quantized.h.
enum class EpilogueKind { kPlain, kGeluRequantize, kNormRope };

/// What a loop is chosen by.
struct LoopProblem {
  int64_t m = 0, n = 0, k = 0, rank = 0;
  NumberFormat a_format = NumberFormat::kInt4, w_format = NumberFormat::kInt4;
  ScaleFormat a_scale = ScaleFormat::kBf16, w_scale = ScaleFormat::kBf16;
  int64_t a_group = 64, w_group = 64;
  bool a_has_unsigned = false;  ///< some activations are uint4
  EpilogueKind epilogue = EpilogueKind::kPlain;
  int64_t head_dim = 0;  ///< kNormRope
};

/// The layouts that a loop reads, for weights of that format.
struct LoopLayouts {
  CodeLayout activations, weights;
};
LoopLayouts layouts_of(MainLoop loop, NumberFormat weights);

/// Why `loop` cannot serve, e.g. "activation group 32, needs 64"; absent: it can.
/// @param architecture  10 * major + minor of the device's compute capability, e.g. 90 for H100 and H200.
std::optional<std::string> why_declined(MainLoop loop, const LoopProblem& problem, int architecture);

struct LoopDecision {
  std::optional<MainLoop> chosen;
  struct Declined {
    MainLoop loop;
    std::string reason;
  };
  std::vector<Declined> declined;  ///< those before the chosen one in the order of preference; all if none

  /// One line: "nvfp4; exact: activations are e2m1, needs int4; ..." or "none; exact: ...".
  std::string to_string() const;
};

/// The first loop that can serve, in the order kNvfp4Block, kExact, kInt8, kMmaS4, kNvfp4. A pure function.
LoopDecision choose_main_loop(const LoopProblem& problem, int architecture);

std::string to_string(MainLoop loop);  ///< "exact", "int8", "mma_s4", "nvfp4", "nvfp4_block"
/// Throws kConfig with the nearest name.
MainLoop main_loop_named(const std::string& name);

}  // namespace svdlab
