#include "core/io/hdf5_handle.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace svdlab::hdf5 {
namespace {

// Walking downward ends at the innermost function, whose text says what really happened.
herr_t keep_last(unsigned, const H5E_error2_t* error, void* text) {
  if (error->desc && *error->desc) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

// Links to other files are not followed.
bool has_link(hid_t file, const std::string& path) {
  H5L_info_t info;
  return H5Lexists(file, path.c_str(), H5P_DEFAULT) > 0 &&
         H5Lget_info(file, path.c_str(), &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

}  // namespace

void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

void fail(const Context& context, const std::string& object) {
  std::string reason = "no reason given by HDF5";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_last, &reason);
  std::replace(reason.begin(), reason.end(), '\n', ' ');
  throw Error(context.code, concat(context.file, ": ", object, ": ", reason));
}

std::string memory_name() {
  static std::atomic<uint64_t> count{0};
  return concat("svdlab-memory-", count++);
}

bool exists(hid_t file, const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (prefix != "/" && !has_link(file, prefix)) return false;
    if (end == std::string::npos) break;
  }
  return path == "/" || H5Oexists_by_name(file, path.c_str(), H5P_DEFAULT) > 0;
}

}  // namespace svdlab::hdf5
