#pragma once
#include <vector>

#include "core/ir/compressed.h"
#include "kernels/coded_matrix.h"

namespace svdlab {

/// The codes of one K range of a linear's input. What they decode to is larger by `shift / smooth` than the
/// input.
struct SegmentCodes {
  Segment segment;
  Tensor codes, scales, zeros;
  CodedMatrix view;  ///< of them
  float shift = 0;   ///< kGeluShift, or 0
};

/// Quantizes T(x), segment by segment. Dynamic scales are per token and group of columns (kGroup), per token
/// and segment (kRow), or per segment (kTensor); static ones per segment, and values beyond their range clip;
/// cross ones are per token, (largest |x| of the token) ^ exponent / largest code. Where the scheme shifts
/// behind GELU and T only divides by `smooth`, the shift goes onto x first: (x + shift) / smooth.
/// @param x         [T, K] fp32, finite, else kInput.
/// @param online    T; its smoothing vector [K] fp32 finite and > 0.
/// @param segments  contiguous from 0 to K; kGroup must divide each, else kConfig.
/// @param ranges    Range::kStatic: [segments, 2] fp32, else undefined.
std::vector<SegmentCodes> quantize_input(const Tensor& x, const OnlineTransform& online,
                                         const ActivationScheme& scheme, const std::vector<Segment>& segments,
                                         const Tensor& ranges = {});

/// T(x) quantized and decoded again, fp32 [T, K]: what the low-bit branch multiplies. The shift is
/// taken off after decoding, so the result approximates T(x). Arguments as in quantize_input. No
/// gradient.
Tensor fake_quantize(const Tensor& x, const OnlineTransform& online, const ActivationScheme& scheme,
                     const std::vector<Segment>& segments, const Tensor& ranges = {});

}  // namespace svdlab
