#!/usr/bin/env bash
# From a bare Debian 12 to a first table and report in one command; called again, it reuses all that is there.
# Arguments go to `svdlab run`, e.g. protocol.items=8.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

install_packages
configure release
build build svdlab
build/svdlab doctor | grep -v '^ok' || true
build/svdlab run experiments/configs/quickstart.yaml "$@"
