#!/usr/bin/env bash
# device_session.sh RESULTS [BINARIES [STAGE...]]: what one visit to a machine with a GPU should bring home, in nine
# minutes and six files below RESULTS. BINARIES holds what device_build.sh made, or gets it made here. STAGE: tests,
# sanitizer, bench, profile; without any, the first three. A stage that fails, hangs or is cut off leaves what it has
# and does not stop the next.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
results=$1
binaries=${2:-build-device}
shift $(($# < 2 ? $# : 2))
stages=("$@")
((${#stages[@]})) || stages=(tests sanitizer bench)
mkdir -p "$results"
summary=$results/summary.txt
: > "$summary"
said() { echo "[$SECONDS s] $*" | tee -a "$summary"; }

# within SECONDS LOG COMMAND...: its output is appended to LOG; the exit code is the command's, 124 if it was cut off.
within() {
  local limit=$1 log=$2
  shift 2
  echo "== $*" >> "$log"
  timeout -k 5 "$limit" "$@" >> "$log" 2>&1 < /dev/null
}

describe() {
  git rev-parse --short=12 HEAD 2> /dev/null
  nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm,power.limit,temperature.gpu --format=csv
  nvcc --version | tail -n 2
}

have_binaries() {
  [[ -x $binaries/kernels_bench && -x $binaries/test_kernels_cuda ]] && return
  said "building in $binaries"
  within 240 "$results/build.log" bash kernels/bench/device_build.sh "$binaries" || said "the build failed: build.log"
}

# Suites one by one, the small problems first: one that hangs costs its time, and what has its parameter is left out.
tests() {
  local suite status passed=0 bad=0 log=$results/tests.log
  local -A hung=()
  while read -r suite; do
    [[ $suite == */* && -n ${hung[${suite##*/}]:-} ]] && { said "tests: $suite: left out"; continue; }
    within 45 "$log" "$binaries/test_kernels_cuda" --gtest_brief=1 --gtest_filter="$suite"
    status=$?
    if ((status == 0)); then
      passed=$((passed + 1))
    else
      bad=$((bad + 1))
      said "tests: $suite: exit code $status"
      ((status != 124 && status != 137)) || hung[${suite##*/}]=1
    fi
    ((SECONDS < tests_end)) || { said "tests: out of time after $suite"; break; }
  done < <(suites)
  said "tests: $passed runs passed, $bad failed; skipped tests: $(grep -c ': Skipped$' "$log")"
  grep -E 'Failure$|dB, perfect' "$log" | head -n 40 >> "$summary"
}

# Filters: every test of a fixture, one parameter at a time, "Small" ones first.
suites() {
  "$binaries/test_kernels_cuda" --gtest_list_tests | sed 's/ *#.*//' | awk '
    /^[^ ].*\.$/ { suite = $1; next }
    /^ / {
      name = suite $1
      if (suite ~ /\/.*\.$/) { split($1, part, "/"); key = suite "*/" part[2]; small = suite "Small*/" part[2] }
      else { key = suite "*"; small = suite "Small*" }
      if (!(small in seen)) { seen[small] = 1; first[++n] = small; rest[n] = key ":-" small }
    }
    END { for (i = 1; i <= n; i++) print first[i]; for (i = 1; i <= n; i++) { sub(/:-/, "-", rest[i]); print rest[i] } }'
}

# Every kernel on small problems.
sanitizer() {
  local tool status log=$results/sanitizer.log
  for tool in memcheck racecheck synccheck initcheck; do
    within 40 "$log" compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 20 \
      "$binaries/test_kernels_cuda" --gtest_brief=1 --gtest_filter='*Gpu.Small*:*Gpu.*/Small*-*Refusals*'
    status=$?
    said "sanitizer: $tool: exit code $status: $(grep 'ERROR SUMMARY\|RACECHECK SUMMARY' "$log" | tail -n 1)"
  done
}

bench() {
  local library clocks status mode=full
  library=$(find / -name 'libcublasLt.so.13' -not -path '/proc/*' 2> /dev/null | head -n 1)
  nvidia-smi --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu --format=csv,noheader -lms 500 \
    > "$results/clocks.csv" 2>&1 &
  clocks=$!
  within 20 "$results/bench.log" "$binaries/kernels_bench" /dev/null probe ||
    { said "bench: the tilings of the exact loop: exit code $?, going on without clusters"; mode=single; }
  LD_LIBRARY_PATH=$(dirname "${library:-/}"):${LD_LIBRARY_PATH:-} \
    within 140 "$results/bench.log" "$binaries/kernels_bench" "$results/bench.csv" "$mode"
  status=$?
  kill "$clocks" 2> /dev/null
  said "bench: exit code $status, $(($(wc -l < "$results/bench.csv") - 1)) rows, $(awk -F, '$NF != ""' "$results/bench.csv" | wc -l) lines with an error or the header"
  cut -d, -f 1-12 "$results/bench.csv" >> "$summary"
}

# What bounds each kernel: counters of one launch of each, clocks left alone.
profile() {
  within 120 "$results/profile.log" ncu --clock-control none --set basic --section WarpStateStats --launch-count 60 \
    "$binaries/kernels_bench" "$results/profiled.csv" quick
  said "profile: exit code $?"
}

describe >> "$summary" 2>&1
have_binaries
tests_end=$((SECONDS + 170))
for stage in "${stages[@]}"; do
  said "$stage"
  "$stage"
done
said "done"
tail -n 150 "$summary"
