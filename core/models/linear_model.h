#pragma once
#include <string>

#include "core/models/model.h"

namespace svdlab {

/// True for models whose linears are known by their names alone, so that they can be quantized, though not
/// run: PixArt-Sigma, SANA and SDXL of diffusers (PixArtTransformer2DModel, SanaTransformer2DModel,
/// UNet2DConditionModel).
bool is_linear_model(const std::string& class_name);

/// load_model(), or for a model of names alone: a graph of linears without a way from input to output. Every
/// matrix called *.weight is one; q, k and v of self-attention share an input and a branch, k and v of
/// cross-attention, too; others are alone. Convolutions and vectors are not looked at.
Model load_quantizable(const std::string& folder);

}  // namespace svdlab
