#!/usr/bin/env bash
# run.sh [FILTER]: the GPU kernels on the CPU, thread by thread (fibers.h), under the tests of tests/kernels/cuda whose
# names fit FILTER. Needs the headers of CUDA 12.8 or newer and libgtest-dev; without CUDA's headers it exits with 77.
# What it cannot see: races, missing fences, what nvcc makes of the sources, and time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
cuda=${CUDA_HOME:-/usr/local/cuda}
[[ -e $cuda/include/cuda_fp8.h ]] || { echo "skipped: no CUDA headers in $cuda/include"; exit 77; }
filter=${1:-'*Gpu.SmallExtreme*:*Gpu.SmallValues*:*Gpu.SmallGroupSums*/*:*Gpu.SmallLowRank*/*:*Gpu.SmallOutputs*/*:*Gpu.SmallNorm*/*'}
folder=build/emulated
mkdir -p "$folder/kernels/device"

# Shared memory comes from the emulator; the two instructions in half.cuh are in intrinsics.h.
for source in quantize_fuse_down gemm_exact gemm_mma gemm_wgmma expand_halves gemm_weight_only norm_rope gemm_quantized quantize_matrix dequantize_matrix gptq_block; do
  sed -e 's/extern __shared__ __align__([0-9]*) uint8_t memory\[\];/uint8_t* memory = emulated::current->block->memory();/' \
    -e 's/__shared__ \(.*\) shared;/auto\& shared = *reinterpret_cast<std::remove_reference_t<\1>*>(emulated::current->block->memory());/' \
    -e 's/defined(__CUDA_ARCH_FEAT_SM90_ALL)/1/' "kernels/${source}_cuda.cu" > "$folder/${source}_cuda.cpp"
done
sed '/^\/\/\/ The larger, NaN if one is/,/^}  \/\/ namespace/{/^}  \/\/ namespace/!d}' kernels/device/half.cuh > "$folder/kernels/device/half.cuh"

compile() {
  local object=$folder/${1//\//_}.o
  g++ -std=c++20 -O2 -ffp-contract=off -w -I"$folder" -Itests/kernels/emulated -I. -I"$cuda/include" -include "$2" \
    -c "$1" -o "$object"
}
export -f compile
export folder cuda
{
  printf '%s tests/kernels/emulated/intrinsics.h\n' "$folder"/*_cuda.cpp
  for source in core/base/*.cpp kernels/*.cpp tests/kernels/emulated/*.cpp tests/kernels/cuda/*_test.cpp; do
    [[ $source == kernels/cuda_absent.cpp || $source == *cuda_device_test.cpp ]] || echo "$source cstdint"
  done
} | xargs -P "$(nproc)" -L 1 bash -c 'set -euo pipefail; compile "$@"' _
g++ -o "$folder/tests" "$folder"/*.o -lgtest -lgtest_main -lpthread
"$folder/tests" --gtest_brief=1 --gtest_filter="$filter"
# The loop of another architecture.
EMULATED_ARCHITECTURE=120 "$folder/tests" --gtest_brief=1 --gtest_filter='*Gpu.SmallGroupSums*/nvfp4_block'
