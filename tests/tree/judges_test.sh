#!/usr/bin/env bash
# judges_test.sh FOLDER: the guards of the tree refuse what they are there for. FOLDER: a scratch folder.
set -euo pipefail
guards=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tree=$1/judged_tree
rm -rf "$tree"
mkdir -p "$tree"/{core/base,core/formats,core/io,kernels,quant,lowrank,eval,experiments/cli,tests/quant}
cp "$guards/../../.clang-format" "$tree"

# expect VERDICT GUARD FILE TEXT: with FILE holding TEXT the guard passes, or fails and names FILE.
expect() {
  local verdict=passes said
  printf '%s\n' "$4" > "$tree/$3"
  said=$("$guards/$2" "$tree" 2>&1) || verdict=fails
  [[ $said == skipped* ]] && verdict=$1
  if [[ $verdict != "$1" || ($1 == fails && $said != *"$3"*) ]]; then
    echo "$2 with '$4' in $3: $verdict, not $1: $said"
    exit 1
  fi
  rm "$tree/$3"
}

expect passes includes.sh quant/a.cpp '#include "core/ir/stats.h"'
expect fails includes.sh quant/a.cpp '#include "lowrank/solver.h"'
expect fails includes.sh eval/a.cpp '#include "quant/transform.h"'
expect fails includes.sh kernels/a.cpp '#include "core/ir/tensor.h"'
expect fails includes.sh core/base/a.h '#include "core/formats/int4.h"'
expect fails includes.sh kernels/a.cpp '#include <ATen/ATen.h>'
expect fails includes.sh core/formats/a.h '# include <c10/util/Half.h>'
expect fails includes.sh quant/a.cpp '#include <hdf5.h>'
expect passes includes.sh core/io/a.cpp '#include <hdf5.h>'
expect passes includes.sh tests/quant/a.cpp '#include "experiments/cli/command.h"'
expect fails includes.sh experiments/cli/a.cpp '#include "tests/support/support.h"'
expect fails tested.sh quant/lonely_stage.cpp 'int f();'
expect passes tested.sh tests/quant/lonely_stage_test.cpp '#include "quant/lonely_stage.h"'
printf 'int f();\n' > "$tree/quant/lonely_stage.cpp"
expect passes tested.sh tests/quant/a_test.cpp 'TEST(LonelyStage, Works)'
expect fails tested.sh quant/lonely_stage.cpp 'int f();'
expect fails format.sh eval/a.cpp 'int  f( ) ;'
expect passes format.sh eval/a.cpp 'int f();'
