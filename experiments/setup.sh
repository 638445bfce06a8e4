# shellcheck shell=bash
# Sourced by quickstart.sh and tests/run.sh: packages, configuration, build. Debian 12 and Ubuntu 24.04 with apt;
# elsewhere the packages are up to the user. Exit codes: 1 a step failed, 2 something has to be installed by hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(g++ cmake ninja-build libeigen3-dev libhdf5-dev libboost-program-options-dev libyaml-cpp-dev libpng-dev
          nlohmann-json3-dev libssl-dev libgmock-dev zlib1g-dev libopenmpi-dev openmpi-bin)
# Without OpenBLAS the distribution's torch computes with the reference BLAS, 15 times slower.
torch_packages=(libtorch-dev libopenblas0-pthread)
by_hand="g++ 12, cmake 3.22, ninja, libtorch 1.13 or a newer torch in python3, OpenBLAS, Eigen 3, HDF5, \
Boost.Program_options, yaml-cpp, libpng, zlib, nlohmann-json, OpenSSL, Open MPI and GoogleTest, with their headers"
torch_by_hand="its CPU build, or any with nvcc in PATH: python3 -m venv ~/torch && ~/torch/bin/pip install torch && \
export PATH=~/torch/bin:\$PATH"

have() { command -v "$1" > /dev/null; }
fail() { echo "error: $2" >&2; exit "$1"; }
installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null) == installed ]]; }
available() { [[ $(apt-cache policy "$1") =~ Candidate:\ [0-9] ]]; }

# logged LOG COMMAND...: quiet while it works.
logged() {
  mkdir -p build
  "${@:2}" > "$1" 2>&1 < /dev/null || { tail -n 20 "$1" >&2; return 1; }
}

apt_get() {
  local root=()
  [[ $(id -u) == 0 ]] || root=(sudo)
  logged build/packages.log "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -y -q -o DPkg::Lock::Timeout=300 "$@" || fail 1 "apt-get $1 failed (the log: build/packages.log)"
}

# Says why the torch of python3 cannot serve.
python_torch() {
  have python3 || { echo "there is no python3"; return 1; }
  { python3 cmake/python_torch.py > /dev/null; } 2>&1
}

# install_packages [OPTIONAL...]: what the build needs, and of the optional ones those that this distribution has.
install_packages() {
  local package missing=() started=$SECONDS no_torch
  if ! have apt-get; then
    { have g++ && have cmake && have ninja; } || fail 2 "no apt-get here; install first: $by_hand"
    echo "packages: no apt-get here, CMake looks for them"
    return
  fi
  no_torch=$(python_torch) || packages+=("${torch_packages[@]}")
  for package in "${packages[@]}"; do installed "$package" || missing+=("$package"); done
  if ((${#missing[@]})); then
    [[ $(id -u) == 0 ]] || have sudo || fail 2 "neither root nor sudo here; install first: ${missing[*]}"
    apt_get update
  fi
  for package in "$@"; do
    if ! installed "$package" && available "$package"; then missing+=("$package"); fi
  done
  if ((${#missing[@]} == 0)); then
    echo "packages: all there"
    return
  fi
  [[ " ${missing[*]} " != *" libtorch-dev "* ]] || available libtorch-dev ||
    fail 2 "no libtorch-dev in this distribution, and $no_torch; install torch, $torch_by_hand"
  echo "packages: installing ${missing[*]}"
  apt_get install --no-install-recommends "${missing[@]}"
  echo "packages: installed in $((SECONDS - started)) s"
}

# configure PRESET FOLDER
configure() {
  local log=build/configure.log
  logged "$log" cmake --preset "$1" && return
  have apt-get || fail 2 "CMake did not find everything; install first: $by_hand"
  fail 1 "cmake --preset $1 failed (the log: $log)"
}

# A compiler process takes up to 1.5 GiB.
jobs_that_fit() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/^MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo)
  echo $((by_memory < 1 ? 1 : by_memory < cores ? by_memory : cores))
}

# build FOLDER TARGET...: a line at each tenth of the way; errors and warnings as they come.
build() {
  local started=$SECONDS
  ninja -C "$1" -j "$(jobs_that_fit)" "${@:2}" | awk -v folder="$1" '
    /^ninja: Entering/ { next }
    match($0, /^\[[0-9]+\/[0-9]+\]/) {
      split(substr($0, 2, RLENGTH - 2), step, "/")
      compiled += $2 == "Building"
      if (step[2] >= 20 && int(10 * step[1] / step[2]) > tenths) {
        tenths = int(10 * step[1] / step[2])
        print folder ": " step[1] " of " step[2]; fflush()
      }
      next
    }
    { print; fflush() }
    END { if (compiled < 2) print folder ": reused" }' || fail 1 "the build in $1/ failed"
  ((SECONDS - started < 5)) || echo "$1: built in $((SECONDS - started)) s"
}
