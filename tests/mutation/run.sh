#!/usr/bin/env bash
# bash tests/mutation/run.sh [NAME...]: does the baseline check notice mistakes, and name the right layer?
#
# Each *.patch here is one mistake. Its head says what must catch it: "baseline check", which then has to name `cell`
# and `layer` as the first that differs, or a test program with a filter. A mutant is built from the patched files alone:
# what depends on them is compiled again with the build's own commands, in a folder of its own, and linked with the rest
# of the build. A patch that does not apply is a failure: the mistake has to be written down anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD
work=$root/build/mutants
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

fail() { echo "error: $2" >&2; exit "$1"; }

# head_of PATCH KEY: what stands behind "# KEY: ".
head_of() { sed -n "s/^# $2: //p" "$1"; }

# objects_using TARGET FILE...: the build's own objects that go into TARGET and depend on one of the files.
objects_using() {
  local target=$1
  shift
  awk -v wanted="$(printf "$root/%s\n" "$@")" '
    BEGIN { n = split(wanted, list, "\n"); for (i = 1; i <= n; i++) if (list[i] != "") want[list[i]] = 1 }
    FNR == NR { input[$1] = 1; next }
    /^[^ ].*: #deps/ { object = $1; sub(/:$/, "", object); next }
    /^ / && ($1 in want) && (object in input) && !(object in said) { said[object] = 1; print object }
  ' <(ninja -C build -t inputs "$target") "$work/deps"
}

# compile OVERLAY OBJECT: as the build compiles it, but from the overlay's files where it has them.
compile() {
  local overlay=$1 object=$2 command source out=$1/objects/$2
  command=$(ninja -C build -t commands -s "$object")
  [[ $command =~ ^(.*)\ -MD\ .*\ -o\ [^\ ]+\ -c\ ([^\ ]+)$ ]] || fail 1 "$object: not a compile command: $command"
  command=${BASH_REMATCH[1]} source=${BASH_REMATCH[2]}
  [[ ! -e $overlay/${source#"$root/"} ]] || source=$overlay/${source#"$root/"}
  mkdir -p "$(dirname "$out")"
  (cd build && eval "${command/ -I/ -iquote $overlay -I} -o $out -c $source")
}

# link OVERLAY TARGET OBJECT...: the objects stand before the libraries, whose members of the same content stay out.
link() {
  local overlay=$1 target=$2 command object added=
  shift 2
  command=$(ninja -C build -t commands -s "$target")
  command=${command/ -o $target / -o $overlay/program }
  for object in "$@"; do
    if [[ $command == *" $object "* ]]; then
      command=${command/ $object / $overlay/objects/$object }
    else
      added+=" $overlay/objects/$object"
    fi
  done
  (cd build && eval "${command/ -o /$added -o }")
}

# build_mutant PATCH OVERLAY TARGET
build_mutant() {
  local patch=$1 overlay=$2 target=$3 files objects file
  mapfile -t files < <(sed -n 's/^+++ b\///p' "$patch")
  for file in "${files[@]}"; do
    mkdir -p "$overlay/$(dirname "$file")"
    cp "$file" "$overlay/$file"
  done
  patch --quiet --strip=1 --fuzz=0 --no-backup-if-mismatch --directory="$overlay" < "$patch" > "$overlay/log" 2>&1 ||
    { echo "the patch does not apply"; return 1; }
  mapfile -t objects < <(objects_using "$target" "${files[@]}")
  ((${#objects[@]})) || { echo "nothing in $target depends on ${files[*]}"; return 1; }
  export -f compile fail
  export root
  # shellcheck disable=SC2016  # the inner shell's words
  printf '%s\n' "${objects[@]}" | xargs -P "$(nproc)" -I{} bash -c 'set -e; compile "$0" "$1"' "$overlay" {} \
    >> "$overlay/log" 2>&1 || { echo "it does not compile (the log: $overlay/log)"; return 1; }
  link "$overlay" "$target" "${objects[@]}" >> "$overlay/log" 2>&1 ||
    { echo "it does not link (the log: $overlay/log)"; return 1; }
}

# Says what caught the mutant; fails when nothing did, or when another layer was named.
judge_baseline() {
  local patch=$1 overlay=$2 status=0 first expected
  "$overlay/program" baseline check --baseline "$work/baseline" --mode exact > "$overlay/out" 2> "$overlay/err" || status=$?
  first=$(sed -n '/^FAIL  layers exact/,/^      worst: /s/^      first: //p' "$overlay/out")
  expected="$(head_of "$patch" cell) $(head_of "$patch" layer)"
  case $status in
    0) echo "SURVIVED the baseline check"; return 1 ;;
    4) ;;
    *) echo "exit code $status: $(tail -n 1 "$overlay/err")"; return 1 ;;
  esac
  [[ $first == "$expected: "* ]] || { echo "caught, but at ${first:-no layer}, not at $expected"; return 1; }
  echo "caught by baseline check at $first"
}

judge_test() {
  local overlay=$1 target=$2 filter=$3 status=0
  "$overlay/program" --gtest_filter="$filter" > "$overlay/out" 2>&1 || status=$?
  [[ $status == 1 ]] || { echo "SURVIVED $target $filter (exit code $status)"; return 1; }
  echo "caught by $(basename "$target"), first $(sed -n 's/^\[  FAILED  \] \([^ ,]*\).*/\1/p;T;q' "$overlay/out")"
}

# mutant PATCH: builds and judges; one line on stdout.
mutant() {
  local patch=$1 name overlay by target filter said started=$SECONDS status=0
  name=$(basename "$patch" .patch)
  overlay=$work/$name
  by=$(head_of "$patch" "caught by")
  rm -rf "$overlay"
  mkdir -p "$overlay"
  if [[ $by == "baseline check" ]]; then
    said=$(build_mutant "$patch" "$overlay" svdlab && judge_baseline "$patch" "$overlay") || status=1
  else
    read -r target filter <<< "$by"
    said=$(build_mutant "$patch" "$overlay" "tests/$target" && judge_test "$overlay" "$target" "$filter") || status=1
  fi
  printf '%-24s %s (%d s)\n' "$name" "$said" $((SECONDS - started))
  return "$status"
}

patches=()
for name in "$@"; do
  patches+=("tests/mutation/$name.patch")
  [[ -e ${patches[-1]} ]] || fail 2 "no mutant $name; there are: $(cd tests/mutation && echo *.patch | sed 's/\.patch//g')"
done
(($#)) || patches=(tests/mutation/*.patch)

mkdir -p "$work"
ninja -C build svdlab tests/test_base tests/test_kernels > "$work/build.log" 2>&1 ||
  fail 1 "the build is not up to date and fails (the log: $work/build.log)"
ninja -C build -t deps > "$work/deps"

# The sound build is the standard, on this machine: its own golden results, which it has to keep, and its own tests.
if ! { build/svdlab baseline update --baseline "$work/baseline" &&
       build/svdlab baseline check --baseline "$work/baseline" --mode exact; } > "$work/healthy.log" 2>&1; then
  fail 1 "the unchanged build does not pass its own baseline (the log: $work/healthy.log)"
fi
while read -r target filter; do
  if ! { "build/tests/$target" --gtest_filter="$filter" > "$work/healthy.log" 2>&1 &&
         grep -q '^\[  PASSED  \] [1-9]' "$work/healthy.log"; }; then
    fail 1 "the unchanged build does not pass $target $filter (the log: $work/healthy.log)"
  fi
done < <(sed -n 's/^# caught by: \(test_.*\)/\1/p' "${patches[@]}")

bad=0
for patch in "${patches[@]}"; do mutant "$patch" || bad=$((bad + 1)); done
echo "mutants: $((${#patches[@]} - bad)) of ${#patches[@]} caught"
((bad == 0)) || exit 1
