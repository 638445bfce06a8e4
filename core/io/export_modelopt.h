#pragma once
#include <string>

#include "core/io/export_source.h"

namespace svdlab {

/// Writes a folder in the layout of NVIDIA ModelOpt's NVFP4_SVD export: weight, weight_scale, weight_scale_2,
/// input_scale, pre_quant_scale, svdquant_lora_a and _b, row-major, with the bias in bf16. Kept bit for bit:
/// codes, scales, smoothing (as fp32 1 / s) and factors, which are padded to one rank. input_scale is 1: our
/// activations have e4m3 scales alone. Throws kConfig naming the first linear that is not nvfp4.
void export_modelopt(const std::string& folder, const ExportSource& source);

/// The linears of such a folder that `graph` has. Throws kInput when a tensor does not fit its linear.
CompressedModel read_modelopt(const std::string& folder, const Graph& graph);

/// One linear of such a file, without factors when it has none.
CompressedLinear read_modelopt_linear(const SafetensorsFile& file, const std::string& name, int64_t rows,
                                      int64_t columns);

}  // namespace svdlab
