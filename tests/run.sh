#!/usr/bin/env bash
# bash tests/run.sh           build everything, run every test
# bash tests/run.sh --full    the same, then sanitizers, fuzzing and repeated kills
source "$(dirname "${BASH_SOURCE[0]}")/../experiments/setup.sh"

[[ $# == 0 || $* == --full ]] || fail 2 "usage: bash tests/run.sh [--full], got: $*"

# run_tests FOLDER [CTEST OPTION...]
run_tests() {
  local status=0
  ctest --test-dir "$1" --output-on-failure --no-tests=error --progress -j "$(nproc)" --output-log "$1/ctest.log" \
    "${@:2}" || status=1
  echo "$1: $(grep 'tests passed' "$1/ctest.log")"
  ((status == 0)) || fail 1 "tests failed (the log: $1/ctest.log)"
}

install_packages hdf5-tools clang-format-14
configure release
build build all
run_tests build
