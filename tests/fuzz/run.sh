#!/usr/bin/env bash
# bash tests/fuzz/run.sh [SECONDS [READER...]]   libFuzzer on every reader of files, SECONDS (60) each, under the address
# and undefined-behaviour sanitizers. Include folders and libraries are those of build/, which has to be there.
# A file that ends a reader becomes tests/fuzz/corpus/<reader>/bad-<why>, which every test run replays.
source "$(dirname "${BASH_SOURCE[0]}")/../../experiments/setup.sh"

work=build/fuzz
files="core/io/files.cpp core/io/atomic_file.cpp"
declare -A sources=(
  [hdf5]="core/io/hdf5_reader.cpp core/io/hdf5_handle.cpp core/io/hdf5_trial.cpp core/io/table.cpp core/base/names.cpp $files"
  [npz]="core/io/npz.cpp core/io/zip.cpp core/io/safetensors_dtype.cpp $files"
  [png]="core/io/png.cpp $files"
  [safetensors]="core/io/safetensors_parse.cpp core/io/safetensors_dtype.cpp"
  [yaml]="core/io/yaml.cpp core/io/override.cpp core/base/value.cpp core/base/names.cpp $files"
)
declare -A seeds=([npz]="tests/fuzz/corpus/npy" [yaml]="experiments/configs tests/fuzz/corpus/override")

# compile READER: in C++17 where the source allows it, because clang 14 does not get on with C++20's std::vector.
compile() {
  local reader=$1 standard=c++17
  [[ $reader != safetensors ]] || standard=c++20
  # shellcheck disable=SC2086
  clang++ -std=$standard -Wno-c++20-designator -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
    -I. $includes tests/fuzz/${reader}_fuzz.cpp ${sources[$reader]} -Wl,--as-needed $libraries -o $work/$reader \
    > $work/$reader.build.log 2>&1 || { tail -n 30 $work/$reader.build.log; return 1; }
}

# fuzz READER: one line.
fuzz() {
  local reader=$1 log=$work/$1.log status=0
  mkdir -p "$work/finds/$reader"
  # shellcheck disable=SC2086
  OMP_NUM_THREADS=1 LSAN_OPTIONS=suppressions=tests/fuzz/lsan.supp:print_suppressions=0 UBSAN_OPTIONS=print_stacktrace=1 \
    "$work/$reader" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=120 -print_final_stats=1 \
    -artifact_prefix="$work/$reader-" "$work/finds/$reader" "tests/fuzz/corpus/$reader" ${seeds[$reader]:-} \
    > "$log" 2>&1 < /dev/null || status=1
  if ((status)); then
    tail -n 60 "$log"
    echo "fuzzing $reader FAILED (the log: $log)"
  else
    echo "fuzzed $reader: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s"
  fi
  return "$status"
}

seconds=${1:-60}
shift || true
readers=("$@")
(($#)) || readers=(hdf5 npz png safetensors yaml)
mkdir -p $work
if ! clang++ -std=c++20 -fsanitize=fuzzer,address,undefined -x c++ - -o $work/probe 2> /dev/null <<< \
  'extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }'; then
  echo "SKIPPED: fuzzing needs clang++ with libFuzzer and its sanitizers (clang, libclang-rt-dev)"
  exit 0
fi
includes=$(ninja -C build -t commands core/CMakeFiles/svdlab_core.dir/io/npz.cpp.o | tail -n 1 | grep -oE -- '-isystem [^ ]+|-D[^ ]+' | xargs)
libraries=$(ninja -C build -t commands -s svdlab | grep -oE -- '-Wl,-rpath,[^ "]*|/[^ "]*\.so[^ "]*' | xargs)
for reader in "${readers[@]}"; do
  [[ -n ${sources[$reader]:-} ]] || fail 2 "no reader $reader; there are: ${!sources[*]}"
done

# in_parallel FUNCTION: over all readers, as many at once as there are cores.
in_parallel() {
  local reader pids=() bad=0
  for reader in "${readers[@]}"; do
    if ((${#pids[@]} >= $(nproc))); then
      wait "${pids[0]}" || bad=1
      pids=("${pids[@]:1}")
    fi
    "$1" "$reader" &
    pids+=($!)
  done
  for reader in "${pids[@]}"; do wait "$reader" || bad=1; done
  return $bad
}
in_parallel compile || fail 1 "the fuzzers do not build"
in_parallel fuzz || fail 1 "a reader does not withstand fuzzing"
