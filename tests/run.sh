#!/usr/bin/env bash
# bash tests/run.sh           build everything, run every test
# bash tests/run.sh --full    the same, then kills all over a study, fuzzing, mutants, and everything under sanitizers
source "$(dirname "${BASH_SOURCE[0]}")/../experiments/setup.sh"

[[ $# == 0 || $* == --full ]] || fail 2 "usage: bash tests/run.sh [--full], not: $*"

# run_ctest OPTION...: a line at each tenth of the way; failures with their output; the summary comes last.
run_ctest() {
  local status=0
  ctest --test-dir build --output-on-failure --no-tests=error -j "$(nproc)" "$@" | tee build/ctest.log | awk '
    /^ +Start +[0-9]+: / || /^ +Test +#.* Passed / { next }
    match($0, /^ *[0-9]+\/[0-9]+ /) {
      split($1, step, "/")
      if (int(10 * step[1] / step[2]) > tenths) {
        tenths = int(10 * step[1] / step[2])
        print "tests: " step[1] " of " step[2]; fflush()
      }
      if ($0 !~ /\*\*\*/ || /\*\*\*Skipped/) next
      gsub(/ \.\.\.+/, " ...")
    }
    { print; fflush() }' || status=1
  grep 'tests passed' build/ctest.log || true
  ((status == 0)) || fail 1 "tests failed (the log: build/ctest.log)"
}

# with_one_thread LOG COMMAND...: the end of what a test program says, all of it in LOG.
with_one_thread() {
  OMP_NUM_THREADS=1 "${@:2}" > "$1" 2>&1 < /dev/null || { tail -n 60 "$1"; fail 1 "${*:2} failed (the log: $1)"; }
  tail -n 2 "$1"
}

# part TEXT COMMAND...: one of the full run; its time, and one more in the summary.
parts=0
part() {
  local started=$SECONDS
  echo "$1"
  "${@:2}"
  parts=$((parts + 1))
  echo "$1: passed in $((SECONDS - started)) s"
}

kills() { SVDLAB_KILLS=50 run_ctest -R '^KilledStudy\.'; }

mutants() { bash tests/mutation/run.sh; }

# One process for each program, not for each test: starting torch under a sanitizer takes seconds. What kills a process
# tells a sanitizer nothing, and std::regex over a whole page takes more stack than a sanitizer leaves.
sanitized_program() {
  local program=build-dev/tests/$1
  with_one_thread "$program.log" "$program" --gtest_brief=1 --gtest_filter='-KilledStudy.*:InTheBrowser.*' | sed "s|^|$1: |"
}

# What HDF5 does to the child process that tries a file is expected; every other report fails the run. A report's
# place is its first frame outside of the sanitizer and the libraries that HDF5 calls.
only_hdf5_reports() {
  local report place count=0
  for report in build-dev/reports/*; do
    [[ -e $report ]] || continue
    place=$(grep -E '^ +#[0-9]+ 0x' "$report" | grep -vE 'interceptor|sanitizer|/lib(asan|ubsan|c|z)\.so' | head -n 1 || true)
    [[ $place == *libhdf5* ]] || { cat "$report"; fail 1 "a sanitizer's report: $report"; }
    count=$((count + 1))
  done
  echo "reports: $count, all in HDF5 and in the child process that tries a file for it"
}

sanitized_tests() {
  local status=0
  rm -rf build-dev/reports
  mkdir build-dev/reports
  export ASAN_OPTIONS=detect_stack_use_after_return=1:log_path=$PWD/build-dev/reports/asan
  export UBSAN_OPTIONS=print_stacktrace=1:log_path=$PWD/build-dev/reports/ubsan
  export LSAN_OPTIONS=suppressions=$PWD/tests/fuzz/lsan.supp:print_suppressions=0
  export SVDLAB_MUTATIONS=2000
  export -f sanitized_program with_one_thread fail
  # The long ones first.
  # shellcheck disable=SC2016
  printf '%s\n' test_{experiments,lowrank,fuzz,core,quant,eval,kernels,base} |
    xargs -P "$(jobs_that_fit)" -I{} bash -c 'set -euo pipefail; sanitized_program "$0"' {} || status=1
  grep -h 'damaged files' build-dev/tests/test_fuzz.log || true
  only_hdf5_reports
  ((status == 0)) || fail 1 "a program fails under the sanitizers"
}

sanitized_build() {
  configure dev
  build build-dev all
}

# For every architecture that has a kernel of its own.
cuda_sources() {
  local source arch targets=()
  for arch in 80 89 90a 120a; do
    targets+=(-gencode "arch=compute_$arch,code=sm_$arch")
  done
  for source in "$@"; do
    logged "build/$(basename "$source").log" nvcc -std=c++20 --expt-relaxed-constexpr -diag-suppress 554,177 -I. "${targets[@]}" -c -o build/cuda_probe.o "$source" ||
      fail 1 "$source does not compile (the log: build/$(basename "$source").log)"
  done
}

full_run() {
  local sources
  part "killing a study at 50 moments of its time and at 50 of its files" kills
  part "fuzzing every reader for a minute" bash tests/fuzz/run.sh 60
  if [[ -e tests/mutation/run.sh ]]; then
    part "mutants" mutants
  else
    echo "SKIPPED: mutants, no tests/mutation/run.sh"
  fi
  part "build with address and undefined-behaviour sanitizers" sanitized_build
  part "tests under the sanitizers, 2000 damaged files for each reader" sanitized_tests
  mapfile -t sources < <(find kernels -name '*.cu')
  if ((${#sources[@]} == 0)); then
    echo "SKIPPED: CUDA compile check, the tree has no CUDA source"
  elif ! have nvcc; then
    echo "SKIPPED: CUDA compile check of ${#sources[@]} sources, no nvcc"
  else
    part "compiling ${#sources[@]} CUDA sources" cuda_sources "${sources[@]}"
  fi
}

optional=(hdf5-tools clang-format-14)
[[ $* != --full ]] || optional+=(clang libclang-rt-dev)
install_packages "${optional[@]}"
configure release
build build all
run_ctest
if [[ $* == --full ]]; then
  tests=$(sed -n 's/.*tests failed out of \([0-9]*\)$/\1/p' build/ctest.log)
  full_run
  echo "all of $tests tests and $parts parts of the full run passed in $((SECONDS / 60)) min"
  echo "100% tests passed, 0 tests failed out of $((tests + parts))"
fi
