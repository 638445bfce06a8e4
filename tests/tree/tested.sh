#!/usr/bin/env bash
# tested.sh ROOT: every source file of the strategies, metrics and kernels is in some test. It is when a test names it
# (gram_solver or GramSolver), or when it makes a strategy that its folder's registry lists and a test there walks.
set -euo pipefail
cd "$1"

tests=$(find tests \( -name '*.cpp' -o -name '*.h' \) -exec cat {} +)
named() { grep -qE "(^|[^a-zA-Z_])($1)([^a-zA-Z_]|$)" <<< "$tests"; }
registered() {
  local folder maker
  folder=$(dirname "$1")
  maker=$(sed -nE 's/^std::unique_ptr<.*> (make_[a-z0-9_]+)\(.*/\1/p' "$1" | head -n 1)
  [[ -n $maker ]] && grep -qs "$maker}" "$folder/registry.cpp" && grep -rq '()\.names()' "tests/$folder"
}

bad=0
while read -r file; do
  stem=$(basename "$file" .cpp | sed -E 's/_(cpu|cuda)$//')
  camel=$(sed -E 's/(^|_)([a-z])/\U\2/g' <<< "$stem")
  if ! named "$stem|$camel" && ! registered "$file"; then
    echo "$file: no test names it, and it is in no registry that a test walks"
    bad=1
  fi
done < <(find kernels quant lowrank eval -name '*.cpp' -not -path '*/bench/*')
exit "$bad"
