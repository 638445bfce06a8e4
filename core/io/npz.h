#pragma once
#include <string>
#include <utility>
#include <vector>

#include "core/io/zip.h"
#include "core/ir/tensor.h"

namespace svdlab {

/// numpy's .npy bytes, versions 1.0 and 2.0, as a tensor: '<f4', '<f8' and '<i8' in C order. Total: other
/// types and orders, a header that is not what numpy writes and a size that does not fit the bytes throw
/// kInput with `where` and the values.
Tensor parse_npy(const std::string& bytes, const std::string& where);
/// The opposite, for float32, float64 and int64 (kInput otherwise).
std::string encode_npy(const Tensor& tensor);

/// A .npz as numpy.savez and savez_compressed write it. Arrays are read when they are asked for, so a file
/// may hold others of types that are unknown here.
class NpzFile {
 public:
  /// Throws kInput as ZipFile does.
  explicit NpzFile(const std::string& path);

  std::vector<std::string> names() const;  ///< without .npy, sorted
  bool has(const std::string& name) const { return zip_.has(name + ".npy"); }
  /// kInput names the arrays there are when `name` is not one of them.
  Tensor tensor(const std::string& name) const;

 private:
  std::string path_;
  ZipFile zip_;
};

/// Stored, not compressed, through a temporary and a rename.
void save_npz(const std::string& path, const std::vector<std::pair<std::string, Tensor>>& arrays);

}  // namespace svdlab
