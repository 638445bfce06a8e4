#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "core/ir/tensor.h"

namespace svdlab {

/// A typed table held column by column: the one schema from which HDF5, CSV, Markdown and LaTeX are made.
struct Column {
  std::string name;
  std::string unit;  ///< "" for none, e.g. "dB", "s"
  std::variant<std::vector<int64_t>, std::vector<double>, std::vector<std::string>> values;
  size_t rows() const;
};
struct Table {
  std::string name;             ///< HDF5 path, e.g. "/layers"
  std::vector<Column> columns;  ///< all of equal length
  size_t rows() const { return columns.empty() ? 0 : columns.front().rows(); }
  Column& column(const std::string& name);  ///< throws kInput when absent
  const Column& column(const std::string& name) const;
};

/// An HDF5 file; deterministic bytes for equal content (no time stamps). Tables are one-dimensional compounds
/// with fixed-length UTF-8 strings, chunked, shuffle + gzip 4 + fletcher32, readable by h5py/pandas as is.
class Hdf5Writer {
 public:
  /// Collects in memory; close() writes the file through write_file (temporary, rename). Destroyed without
  /// close(): nothing is left behind. A path written twice, or content HDF5 cannot hold, is kInput.
  explicit Hdf5Writer(const std::string& path);
  ~Hdf5Writer();
  void attribute(const std::string& name, const std::string& value);  ///< on the root group
  void text(const std::string& path, const std::string& utf8);        ///< scalar string dataset
  void table(const Table& table);  ///< units in attribute "units" ("name=unit;...")
  void tensor(const std::string& path, const Tensor& tensor);  ///< fp32/fp64/int64/uint8
  void close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Hdf5Reader {
 public:
  /// Checks class, rank and types before reading anything; kInput names file and object.
  explicit Hdf5Reader(const std::string& path);
  ~Hdf5Reader();
  bool has(const std::string& path) const;
  std::vector<std::string> list(const std::string& group) const;  ///< names of the members, sorted
  std::string attribute(const std::string& name) const;
  std::string text(const std::string& path) const;
  Table table(const std::string& path) const;
  Tensor tensor(const std::string& path) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace svdlab
