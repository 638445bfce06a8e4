#!/usr/bin/env bash
# device_build.sh FOLDER [ARCHITECTURE...]: kernels_bench and test_kernels_cuda in FOLDER, without CMake and without
# the libraries of the rest of the tree, so that they can be built on one machine and run on another: what they need
# there is the driver (and libcublasLt.so.13 for the baselines). Needs nvcc 12.8 and, for the tests, libgtest-dev.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1
shift
architectures=("$@")
((${#architectures[@]})) || architectures=(90a)
nvcc=$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)
cuda=$(dirname "$(dirname "$(readlink -f "$nvcc")")")
mkdir -p "$folder/objects"

export HOST_COMPILER="g++ -std=c++20 -O2 -ffp-contract=off -I. -I$cuda/include"
DEVICE_COMPILER="$nvcc -std=c++20 -O3 -lineinfo --expt-relaxed-constexpr -I. -diag-suppress 554 -Xcompiler -fPIC"
for architecture in "${architectures[@]}"; do
  DEVICE_COMPILER+=" -gencode arch=compute_$architecture,code=sm_$architecture"
done
export DEVICE_COMPILER

# Recompiles what is older than any source: the tree is small, and headers are everywhere.
newest=$(find core/base core/formats kernels tests/kernels tests/support -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
compile() {
  local source=$1 folder=$2 newest=$3 object
  object=$folder/objects/${source//\//_}.o
  [[ -e $object && $object -nt $newest ]] && return
  if [[ $source == *.cu ]]; then
    $DEVICE_COMPILER -c "$source" -o "$object"
  else
    $HOST_COMPILER -c "$source" -o "$object"
  fi
}
export -f compile

common=(core/base/*.cpp kernels/*.cpp kernels/*.cu)
for i in "${!common[@]}"; do
  [[ ${common[i]} != kernels/cuda_absent.cpp ]] || unset "common[i]"
done
bench=(kernels/bench/*.cpp kernels/bench/*.cu)
for i in "${!bench[@]}"; do
  [[ ${bench[i]} != *_absent.cpp ]] || unset "bench[i]"
done
tests=(tests/kernels/cuda/*_test.cpp tests/kernels/device/*_test.cpp)
[[ -e /usr/include/gtest/gtest.h ]] || tests=()
printf '%s\n' "${common[@]}" "${bench[@]}" "${tests[@]}" |
  xargs -P "${JOBS:-$(nproc)}" -I{} bash -c 'set -euo pipefail; compile "$@"' _ {} "$folder" "$newest"

objects() { local source; for source in "$@"; do echo "$folder/objects/${source//\//_}.o"; done; }
# shellcheck disable=SC2046
link() { g++ -static-libstdc++ -static-libgcc -o "$1" $(objects "${@:2}") "${libraries[@]}" -L"$cuda/lib64" -lcudart_static -ldl -lrt -lpthread; }
libraries=()
link "$folder/kernels_bench" "${common[@]}" "${bench[@]}"
((${#tests[@]} == 0)) && exit
libraries=(-l:libgtest_main.a -l:libgtest.a)
link "$folder/test_kernels_cuda" "${common[@]}" "${tests[@]}"
