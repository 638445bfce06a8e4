#pragma once
#include <map>
#include <string>

#include "core/base/value.h"
#include "core/ir/graph.h"

namespace svdlab {

/// A diffusers-layout transformer folder, opened: config.json, weights (views of mapped files), the graph.
struct Model {
  std::string path;
  std::string class_name;  ///< config.json `_class_name`
  Graph graph;
};

/// Throws kInput for a missing folder, config or tensor, an extra or mis-shaped tensor, NaN or Inf weights
/// are found later by whoever reads them; kConfig for an unknown `_class_name` (names the known ones).
Model load_model(const std::string& folder);

/// SHA-256 over config.json, sampling.yaml and every weight file: the identity of a model in caches and
/// provenance.
std::string model_hash(const std::string& folder);

}  // namespace svdlab
