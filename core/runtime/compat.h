#pragma once
// The one place that knows torch versions: Debian's 1.13 (CPU) is the floor, 2.11 the CUDA build.
#include <torch/version.h>

#define SVDLAB_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))
