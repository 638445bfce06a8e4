#pragma once
#include <cstdint>

#include "kernels/half.h"

namespace svdlab::device {

// More of wgmma (see wgmma.cuh): products that are added up over the whole of K, in fp32 or in 32-bit
// integers. One macro makes the widths n = 128, 192, 224 and 256: `sums` names the registers of D, `list`
// binds them, and i0, i1 ... are the numbers of the operands that follow.

#define SVDLAB_SUMS_8(kind, at)                                                                     \
  kind(d[at]), kind(d[at + 1]), kind(d[at + 2]), kind(d[at + 3]), kind(d[at + 4]), kind(d[at + 5]), \
      kind(d[at + 6]), kind(d[at + 7])
#define SVDLAB_SUMS_32(kind, at)                                                      \
  SVDLAB_SUMS_8(kind, at), SVDLAB_SUMS_8(kind, at + 8), SVDLAB_SUMS_8(kind, at + 16), \
      SVDLAB_SUMS_8(kind, at + 24)
#define SVDLAB_SUMS_64(kind) SVDLAB_SUMS_32(kind, 0), SVDLAB_SUMS_32(kind, 32)
#define SVDLAB_SUMS_96(kind) SVDLAB_SUMS_64(kind), SVDLAB_SUMS_32(kind, 64)
#define SVDLAB_SUMS_112(kind) SVDLAB_SUMS_96(kind), SVDLAB_SUMS_8(kind, 96), SVDLAB_SUMS_8(kind, 104)
#define SVDLAB_SUMS_128(kind) SVDLAB_SUMS_96(kind), SVDLAB_SUMS_32(kind, 96)
#define SVDLAB_NAMES_64                                                                                  \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, " \
  "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, " \
  "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, " \
  "%62, %63"
#define SVDLAB_NAMES_96                                                                               \
  SVDLAB_NAMES_64                                                                                     \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, " \
  "%83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define SVDLAB_NAMES_112 \
  SVDLAB_NAMES_96        \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define SVDLAB_NAMES_128 \
  SVDLAB_NAMES_112       \
  ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define SVDLAB_INTEGER_SUM(x) "+r"(x)
#define SVDLAB_FLOAT_SUM(x) "+f"(x)

#define SVDLAB_WGMMA_16BIT(n, type, sums, list, i0, i1, i2, i3, i4)                                          \
  asm volatile("{\n.reg .pred p;\nsetp.eq.b32 p, 1, 1;\nwgmma.mma_async.sync.aligned.m64n" n "k16.f32." type \
               "." type " {" sums "}, {" i0 ", " i1 ", " i2 ", " i3 "}, " i4 ", p, 1, 1, 0;\n}"              \
               : list(SVDLAB_FLOAT_SUM)                                                                      \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b))

#define SVDLAB_WGMMA_WIDTH(n, registers, sums, list, i0, i1, i2, i3, i4)                                 \
  __device__ __forceinline__ void wgmma_s8(int(&d)[registers], uint64_t a, uint64_t b) {                 \
    asm volatile("{\n.reg .pred p;\nsetp.eq.b32 p, 1, 1;\nwgmma.mma_async.sync.aligned.m64n" n           \
                 "k32.s32.s8.s8 {" sums "}, " i0 ", " i1 ", p;\n}"                                       \
                 : list(SVDLAB_INTEGER_SUM)                                                              \
                 : "l"(a), "l"(b));                                                                      \
  }                                                                                                      \
  template <HalfType kType>                                                                              \
  __device__ __forceinline__ void wgmma_16bit(float(&d)[registers], const uint32_t(&a)[4], uint64_t b) { \
    if constexpr (kType == HalfType::kBf16)                                                              \
      SVDLAB_WGMMA_16BIT(n, "bf16", sums, list, i0, i1, i2, i3, i4);                                     \
    else                                                                                                 \
      SVDLAB_WGMMA_16BIT(n, "f16", sums, list, i0, i1, i2, i3, i4);                                      \
  }

/// m64k32 of int8, A and B in shared memory: wgmma_s8(d, a, b), and m64k16 of fp16 or bf16, A in registers:
/// wgmma_16bit<type>(d, a, b). d has n / 2 registers.
SVDLAB_WGMMA_WIDTH("128", 64, SVDLAB_NAMES_64, SVDLAB_SUMS_64, "%64", "%65", "%66", "%67", "%68")
SVDLAB_WGMMA_WIDTH("192", 96, SVDLAB_NAMES_96, SVDLAB_SUMS_96, "%96", "%97", "%98", "%99", "%100")
SVDLAB_WGMMA_WIDTH("224", 112, SVDLAB_NAMES_112, SVDLAB_SUMS_112, "%112", "%113", "%114", "%115", "%116")
SVDLAB_WGMMA_WIDTH("256", 128, SVDLAB_NAMES_128, SVDLAB_SUMS_128, "%128", "%129", "%130", "%131", "%132")

#undef SVDLAB_SUMS_8
#undef SVDLAB_SUMS_32
#undef SVDLAB_SUMS_64
#undef SVDLAB_SUMS_96
#undef SVDLAB_SUMS_112
#undef SVDLAB_SUMS_128
#undef SVDLAB_NAMES_64
#undef SVDLAB_NAMES_96
#undef SVDLAB_NAMES_112
#undef SVDLAB_NAMES_128
#undef SVDLAB_INTEGER_SUM
#undef SVDLAB_FLOAT_SUM
#undef SVDLAB_WGMMA_16BIT
#undef SVDLAB_WGMMA_WIDTH

/// After wgmma_wait: keeps the compiler from using the registers of a sum before.
template <int kCount>
__device__ __forceinline__ void pin(int (&r)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(r[i])::"memory");
}

/// All bulk stores of the calling thread but the last kPending have read shared memory.
template <int kPending>
__device__ __forceinline__ void stores_before_have_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kPending) : "memory");
}

}  // namespace svdlab::device
