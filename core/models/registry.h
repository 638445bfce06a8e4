#pragma once
#include "core/base/registry.h"
#include "core/base/value.h"
#include "core/ir/graph.h"
#include "core/models/tensor_source.h"

namespace svdlab {

using ArchitectureFactory = Graph (*)(const Value& config_json, const TensorSource& source);
/// Catalogue of architectures by the `_class_name` of their config.json.
const Registry<ArchitectureFactory>& architectures();

}  // namespace svdlab
