#pragma once
#include <string>
#include <vector>

#include "core/models/flux.h"
#include "experiments/train/train_config.h"

namespace svdlab {

inline const std::string kTokensName = "conditioning.tokens";
inline const std::string kPooledName = "conditioning.pooled";

/// Starting values of every trainable tensor, in graph order, the conditioning tables last. Fresh:
/// Xavier-uniform linears, zero biases, zero modulation and output layers (each block starts as the identity,
/// DiT's adaLN-Zero). Tensors found in `start_from` are taken from there; another shape is refused.
std::vector<std::pair<std::string, Tensor>> initial_weights(const TrainConfig& config, const FluxConfig& flux,
                                                            const std::map<std::string, Tensor>& start_from);

}  // namespace svdlab
