#pragma once
#include <string>
#include <vector>

#include "core/base/value.h"
#include "eval/measured.h"

namespace svdlab {

/// A file that took part: a network's weights.
struct UsedFile {
  std::string role;  ///< "features", "lpips"
  std::string path, name;
};

/// What `svdlab eval` compared and found.
struct EvalResult {
  std::string reference, generated;
  int64_t n = 0;  ///< pairs, or pictures of `generated`; 0 when only statistics were compared
  bool paired = true;
  std::vector<std::string> left_out;
  std::vector<UsedFile> files;
  Measurements measured;
};

/// One JSON document, a line: every number with its interval, n, implementation, the program's version and
/// what it was compared with; SHA-256 of the files used.
std::string eval_json(const EvalResult& result);
/// A head line, the table, the notes.
std::string eval_table(const EvalResult& result);

}  // namespace svdlab
