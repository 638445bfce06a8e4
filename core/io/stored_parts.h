#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/value.h"
#include "core/io/safetensors.h"
#include "core/ir/compressed.h"

namespace svdlab {

// What a compressed linear may have beside a smoothing vector, a low-bit and a low-rank branch: steps of its
// transform after the division, and branches on the untransformed input. Each is a kind, a few sizes, and
// tensors with names.

/// Writes tensors of one unit; the same tensor only once.
class PartWriter {
 public:
  virtual ~PartWriter() = default;
  /// Returns the name under which the tensor is stored: fp32 as bf16 where it holds bf16 values and `exact`
  /// is false, else as F32; int64 as I64.
  virtual std::string store(const std::string& name, const Tensor& tensor, bool exact) = 0;
};

Value step_value(const OnlineStep& step, const std::string& prefix, PartWriter& to);
Value extra_branch_value(const SparseBranch& branch, const std::string& prefix, PartWriter& to);
Value extra_branch_value(const ColumnsBranch& branch, const std::string& prefix, PartWriter& to);
Value extra_branch_value(const KroneckerBranch& branch, const std::string& prefix, PartWriter& to);

/// A step or an extra branch as its description says; tensors are read by the functions below.
struct StoredPart {
  std::string kind;                            ///< divide, offset, ...; sparse, columns, kronecker
  std::map<std::string, int64_t> sizes;        ///< by field
  double threshold = 0;                        ///< columns
  std::map<std::string, std::string> tensors;  ///< field -> tensor
};

/// Throw kConfig for an unknown kind, a missing or unknown key, sizes out of range.
StoredPart read_step(const Value& value, const std::string& path, int64_t channels);
StoredPart read_extra_branch(const Value& value, const std::string& path, int64_t rows, int64_t channels);
bool is_extra_branch(const std::string& kind);

/// Bits as the branch itself would report them.
double bits_of(const StoredPart& part, int64_t rows, int64_t channels);

using SharedTensors = std::map<std::string, Tensor>;

/// Bit for bit what was stored. Throw kInput when a tensor is missing, does not fit, or holds what no such
/// step or branch has (a column out of range, rows that do not ascend, a divisor that is not positive).
OnlineStep load_step(const StoredPart& part, int64_t channels, const SafetensorsFile& file,
                     SharedTensors& shared);
Branch load_extra_branch(const StoredPart& part, int64_t rows, int64_t channels, const SafetensorsFile& file);

}  // namespace svdlab
