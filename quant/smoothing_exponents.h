#pragma once
#include <span>
#include <vector>

#include "core/base/value.h"
#include "quant/transform.h"

namespace svdlab {

/// Of s = input^alpha / weight^beta.
struct Exponents {
  double alpha = 0, beta = 0;
};

/// The exponents that a transform's options ask for: one pair `alpha`, `beta` (0.5 each when absent), or with
/// `grid: G` SVDQuant's candidates (DeepCompressor, strategy GridSearch with beta = -2): none, (i/G, 0) and
/// (i/G, 1 - i/G). More than one are to be searched.
std::vector<Exponents> read_exponents(Fields& options);

/// Largest magnitudes per channel, over all groups that must share a vector.
struct Spans {
  Tensor input, weight;  ///< [K] fp64
};
/// From the statistics' absmax and the weights. Behind GELU an unsigned scheme quantizes the shifted input,
/// whose span it then is; `mixed`: channels will be mixed before they are quantized, so nothing is shifted.
Spans spans_of(std::span<const GroupProblem> problems, bool mixed = false);

/// s, as it is stored (see stored_smoothing); undefined when both exponents are 0: no smoothing.
Tensor smoothing_vector(const Spans& spans, Exponents e);
/// The same of each pair; a pair of zeros that is the only one was asked for, and gives ones.
std::vector<Tensor> smoothing_vectors(const Spans& spans, const std::vector<Exponents>& exponents);

/// The only candidate, or the one with the smallest output error through the whole recipe.
/// @param candidates  one for each of `exponents`.
TransformFit best_of(std::span<const GroupProblem> problems, const TransformScore& score,
                     const std::vector<OnlineTransform>& candidates, const std::vector<Exponents>& exponents);

}  // namespace svdlab
