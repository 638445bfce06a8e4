#pragma once

// SVDLAB_WIDE before a loop function: compiled twice, for the baseline and for AVX2, and picked when the
// program loads (twice as fast, measured on the quantizers). Both give the same bits: the tree is built
// without contraction to FMA, and no loop of ours lets the compiler reorder a float sum. Not under
// sanitizers, whose start-up comes after the picking, nor with clang 14, which cannot do this to templates.
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define SVDLAB_WIDE __attribute__((target_clones("default", "avx2")))
#else
#define SVDLAB_WIDE
#endif
