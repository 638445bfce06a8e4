#pragma once
#include <vector>

#include "core/ir/compressed.h"
#include "kernels/coded_matrix.h"

namespace svdlab {

/// The codes of one K range of a linear's input. What they decode to is larger by `shift / smooth` than the
/// input.
struct SegmentCodes {
  Segment segment;
  Tensor codes, scales;
  CodedMatrix view;  ///< of the two
  float shift = 0;   ///< kGeluShift, or 0
};

/// Quantizes x / smooth, segment by segment: (x + shift) / smooth where the scheme shifts behind GELU. Scales
/// are per token and group of columns (kGroup), per token and segment (kRow), or per segment (kTensor).
/// @param x         [T, K] fp32, finite, else kInput.
/// @param smooth    [K] fp32 finite and > 0, or undefined for 1.
/// @param segments  contiguous from 0 to K; kGroup must divide each, else kConfig.
std::vector<SegmentCodes> quantize_input(const Tensor& x, const Tensor& smooth,
                                         const ActivationScheme& scheme,
                                         const std::vector<Segment>& segments);

/// x / smooth quantized and decoded again, fp32 [T, K]: what the low-bit branch multiplies. The shift is
/// taken off after decoding, so the result approximates x / smooth. Arguments as in quantize_input. No
/// gradient.
Tensor fake_quantize(const Tensor& x, const Tensor& smooth, const ActivationScheme& scheme,
                     const std::vector<Segment>& segments);

}  // namespace svdlab
