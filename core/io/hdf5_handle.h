#pragma once
// Internal to core/io/hdf5*.cpp: owning identifiers, and the library's error stack as one Error.
#include <hdf5.h>

#include <string>
#include <utility>

#include "core/base/error.h"

namespace svdlab::hdf5 {

/// What an error message names, and how it is classed.
struct Context {
  std::string file;
  Errc code = Errc::kInput;
};

/// Stops the library from printing its error stack.
void silence();

/// Throws Error(context.code) with the innermost reason of the library's error stack.
[[noreturn]] void fail(const Context& context, const std::string& object);

inline void check(herr_t status, const Context& context, const std::string& object) {
  if (status < 0) fail(context, object);
}

/// An identifier that closes itself; an invalid one throws on construction.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close, const Context& context, const std::string& object) : id_(id), close_(close) {
    if (id < 0) fail(context, object);
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

inline Handle property_list(hid_t kind, const Context& context) {
  return Handle(H5Pcreate(kind), H5Pclose, context, "property list");
}

/// A name for a file in memory that no other has: HDF5 takes two open files of one name for one file.
std::string memory_name();

/// True when every link on the way to `path` is a hard one and its target exists.
bool exists(hid_t file, const std::string& path);

}  // namespace svdlab::hdf5
