#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/io/safetensors.h"
#include "core/io/stored_parts.h"
#include "core/ir/compressed.h"

namespace svdlab {

/// A compressed linear with what the artefact on disk says of it beside the numbers.
struct UnitLinear {
  CompressedLinear linear;
  std::string group;   ///< LayerGroup::name: linears that share one input
  std::string scheme;  ///< name of the scheme; the formats themselves are with the branches
  std::string method;  ///< one line, for people
};

/// Linears that were compressed together, and so may share tensors: one file of a CompressedFolder.
using CompressedUnit = std::vector<UnitLinear>;

struct StoredUnit {
  Value description;             ///< list with one map for each linear, see linear_value in the .cpp
  std::vector<StWrite> tensors;  ///< each once, whoever shares it
};

/// What to write for a unit. A smoothing vector or down factor that linears share by reference is stored
/// once, under the name of the first. Throws kUnexpected for values that are no bf16 where the artefact keeps
/// bf16.
StoredUnit store_unit(const CompressedUnit& unit);

/// What the description of one linear says; its tensors are read by load().
class StoredLinear {
 public:
  /// Throws kConfig with the place when a key is missing, unknown or has the wrong type.
  explicit StoredLinear(const Value& description);

  std::string name, group, scheme, method;
  int64_t out_features = 0, in_features = 0;
  std::string smooth;  ///< tensor in the unit's file, the same for linears that share it; "": no smoothing
  std::vector<StoredPart> then;                ///< steps of the transform behind it
  int64_t smooth_sharers = 1;                  ///< of all of the transform
  std::string bias;                            ///< tensor, or ""
  ScaleFormat bias_type = ScaleFormat::kBf16;  ///< bf16 or fp32

  struct Branch {
    bool low_bit = false;
    // low_bit
    TensorScheme weights;
    std::optional<ActivationScheme> activations;
    std::vector<Segment> segments;
    std::string codes, scales, tensor_scale;  ///< tensors
    std::string zeros, codebook, ranges;      ///< tensors, or ""
    int64_t levels = 0;                       ///< of the codebook
    // low_rank
    int64_t rank = 0, sharers = 1;
    std::string down, up;  ///< tensors; `down` is the same for linears that share it
    // any other kind
    std::optional<StoredPart> extra;
  };
  std::vector<Branch> branches;
  /// In place of bias, transform and branches: variants for ranges of timesteps, named `<name>@<i>`.
  std::vector<std::pair<double, StoredLinear>> ranges;

  double bits() const;  ///< as CompressedLinear::bits(), without reading a tensor
  /// Names of all tensors this linear needs.
  std::vector<std::string> tensors() const;
  /// Bit for bit what was stored. `shared` hands tensors that several linears use from one call to the next,
  /// so that they stay shared by reference. Throws kInput when a tensor is missing or does not fit.
  CompressedLinear load(const SafetensorsFile& file, std::map<std::string, Tensor>& shared) const;

 private:
  void read_ranges(const Value& list, const std::string& where);
};

}  // namespace svdlab
