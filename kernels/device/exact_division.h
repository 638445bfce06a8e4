#pragma once
#include <cmath>

#include "kernels/device/host_device.h"

namespace svdlab::device {

/// a / b with `inverse` within an ulp or two of 1 / b: three operations where the division of the hardware's
/// library takes about ten. The error before the one rounding is below 2^-21 ulp, so the result is the
/// correctly rounded quotient unless a / b lies that near the middle between two floats; quotients that are
/// floats themselves, the only ties of a code, come out exactly. For |a|, b and |a / b| within 2^-60 .. 2^60
/// (a = 0 too); callers use true division elsewhere.
SVDLAB_HD float divide_by_inverse(float a, float b, float inverse) {
  const float q = a * inverse;
  const float excess = fmaf(b, q, -a);  // with these signs -0 stays -0
  return fmaf(-excess, inverse, q);
}

/// Where divide_by_inverse serves a group whose largest |value| is `amax`: smaller values of it get code 0
/// either way.
SVDLAB_HD bool in_fast_range(float amax) { return amax >= 0x1p-60f && amax <= 0x1p60f; }

}  // namespace svdlab::device
