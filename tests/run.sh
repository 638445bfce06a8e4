#!/usr/bin/env bash
# bash tests/run.sh           build everything, run every test
# bash tests/run.sh --full    the same, then sanitizers, fuzzing and repeated kills
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

# One process for each program, not for each test: starting torch under a sanitizer takes seconds.
sanitized_tests() {
  local part program
  configure dev
  build build-dev all
  export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  for part in base kernels core quant lowrank eval experiments; do
    program=build-dev/tests/test_$part
    echo "$program: address and undefined-behaviour sanitizers"
    with_one_thread "$program.log" "$program" --gtest_brief=1
  done
}

fuzzing() {
  local flags=(-std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I.)
  local entry="LLVMFuzzerTestOneInput(const char*, long)"
  mkdir -p build/fuzz/finds
  if ! clang++ "${flags[@]}" -x c++ - -o build/fuzz/probe <<< "extern \"C\" int $entry { return 0; }" 2> /dev/null; then
    echo "SKIPPED: fuzzing needs clang++ with libFuzzer and its sanitizers (clang, libclang-rt-dev)"
    return
  fi
  clang++ "${flags[@]}" tests/fuzz/safetensors_fuzz.cpp core/io/safetensors_parse.cpp core/io/safetensors_dtype.cpp \
    -o build/fuzz/safetensors
  echo "fuzzing the safetensors parser for 60 s"
  with_one_thread build/fuzz/safetensors.log build/fuzz/safetensors -max_total_time=60 -rss_limit_mb=2048 \
    -artifact_prefix=build/fuzz/ build/fuzz/finds tests/fuzz/corpus/safetensors
}

repeated_kills() {
  echo "killing and interrupting studies, 5 times each"
  run_ctest -R '^Program\.(AKilled|ASignal)' --repeat until-fail:5
}

install_packages hdf5-tools clang-format-14
configure release
build build all
run_ctest
if [[ $* == --full ]]; then
  repeated_kills
  fuzzing
  sanitized_tests
  find kernels -name '*.cu' | grep -q . || echo "SKIPPED: CUDA compile check, the tree has no CUDA source"
fi
