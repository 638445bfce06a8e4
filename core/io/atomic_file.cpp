#include "core/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/base/error.h"

namespace svdlab {

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(concat(path, ".tmp.", ::getpid())) {
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) fail("cannot be created");
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  constexpr size_t kChunk = size_t{1} << 30;  // Linux moves less than 2^31 bytes a call
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(fd_, at, std::min(bytes, kChunk));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    at += written;
    bytes -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  // A full or remote disk may report only here what write() accepted. fsync is not defined for pipes and
  // devices.
  if (::fsync(fd_) != 0 && errno != EINVAL) fail("cannot be flushed");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be put in place");
  ::close(fd_);
  fd_ = -1;
}

void AtomicFile::fail(const char* action) const {
  const int reason = errno;
  throw Error(Errc::kResource, concat(path_, ": ", action, ": ", std::strerror(reason)));
}

}  // namespace svdlab
