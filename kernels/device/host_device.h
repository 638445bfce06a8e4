#pragma once

// Functions that kernels call and that the tests of a machine without a GPU call too.
#ifdef __CUDACC__
#define SVDLAB_HD __host__ __device__ __forceinline__
#else
#define SVDLAB_HD inline
#endif
