#!/usr/bin/env bash
# includes.sh ROOT: who includes whom. Arrows go one way, and a library is known in as few places as possible.
set -euo pipefail
cd "$1"

# Folder, then the folders and files of ours it may include; the longest folder that fits decides.
ours='
core/base     core/base
core/formats  core/base core/formats
kernels       core/base core/formats kernels
core          core kernels
quant         core/base core/formats core/ir core/runtime kernels quant
lowrank       core/base core/formats core/ir core/runtime core/models core/io/yaml.h kernels quant lowrank
eval          core eval
experiments   core kernels quant lowrank eval experiments
tests         core kernels quant lowrank eval experiments tests
'
# Start of a library header, then the only places that may include it; tests may include all of them.
libraries='
ATen/         core/ir core/io core/models core/runtime core/torch_pch.h quant lowrank eval experiments
c10/          core/ir core/io core/models core/runtime quant lowrank eval experiments
torch/        core/runtime experiments/train
hdf5.h        core/io
png.h         core/io
yaml-cpp/     core/io
nlohmann/     core/io
openssl/      core/io
zlib.h        core/io
boost/        experiments/cli
mpi.h         experiments/quantize/ranks_mpi.cpp
Eigen/        lowrank
cuda          kernels core/runtime
'

includes=$(grep -rnE '^ *# *include *[<"]' core kernels quant lowrank eval experiments tests \
  --include=*.cpp --include=*.h --include=*.cu)
awk -v ours="$ours" -v libraries="$libraries" '
  function below(path, place) { return path == place || index(path, place "/") == 1 }
  function fits(path, places,   list, n, i) {
    n = split(places, list, " ")
    for (i = 1; i <= n; i++) if (below(path, list[i])) return 1
    return 0
  }
  function parse(table, rules, keys,   lines, n, i, key) {
    n = split(table, lines, "\n")
    for (i = 1; i <= n; i++) if (split(lines[i], word, " ") > 1) {
      key = word[1]
      keys[++keys[0]] = key
      rules[key] = substr(lines[i], length(key) + 1)
    }
  }
  BEGIN { parse(ours, allowed, folders); parse(libraries, places, headers) }
  {
    split($0, at, ":")
    file = at[1]
    match($0, /[<"][^>"]+[>"]/)
    included = substr($0, RSTART + 1, RLENGTH - 2)
    if (substr($0, RSTART, 1) == "\"") {
      folder = ""
      for (i = 1; i <= folders[0]; i++)
        if (below(file, folders[i]) && length(folders[i]) > length(folder)) folder = folders[i]
      if (fits(included, allowed[folder])) next
      print file ":" at[2] ": " folder " must not include " included "; it may:" allowed[folder]
      bad = 1
    } else {
      for (i = 1; i <= headers[0]; i++)
        if (index(included, headers[i]) == 1 && !fits(file, "tests " places[headers[i]])) {
          print file ":" at[2] ": <" included "> belongs to:" places[headers[i]]
          bad = 1
        }
    }
  }
  END { exit bad }' <<< "$includes"
