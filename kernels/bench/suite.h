#pragma once
#include <functional>

#include "kernels/bench/measurement.h"
#include "kernels/bench/selection.h"

namespace svdlab::bench {

/// Our kernels beside cuBLASLt's in bf16, fp8 and int8, on the shapes of FLUX.1 with 4608 tokens, and weights
/// of 4 bits at 1 to 16 tokens. Each row is reported as soon as it is measured; a case that fails is a row
/// with `error`. kConfig for a bad selection and where no GPU can be used.
void run_suite(const Selection& selection, const std::function<void(const Measurement&)>& report);

/// Runs every tiling of the exact loop on a small product, saying so on stdout before each; true when all
/// give the same bits.
bool exact_tilings_agree();

}  // namespace svdlab::bench
