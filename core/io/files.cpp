#include "core/io/files.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace svdlab {
namespace {

// Hands the file to `sink` piece by piece.
void read_pieces(const std::string& path, const std::function<void(std::string_view)>& sink) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  SVDLAB_REQUIRE(fd >= 0, Errc::kInput, path, ": cannot be opened: ", std::strerror(errno));
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { ::close(*f); });
  std::string buffer(size_t{1} << 20, '\0');
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    SVDLAB_REQUIRE(n >= 0, Errc::kInput, path, ": cannot be read: ", std::strerror(errno));
    if (n == 0) return;
    sink(std::string_view(buffer).substr(0, static_cast<size_t>(n)));
  }
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }

  void add(std::string_view bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int bytes = 0;
    check(EVP_DigestFinal_ex(context_.get(), digest.data(), &bytes) == 1);
    std::string out;
    for (unsigned int i = 0; i < bytes; ++i) {
      out += "0123456789abcdef"[digest[i] >> 4];
      out += "0123456789abcdef"[digest[i] & 0xf];
    }
    return out;
  }

 private:
  static void check(bool ok) { SVDLAB_REQUIRE(ok, Errc::kUnexpected, "SHA-256: libcrypto refused"); }

  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string read_file(const std::string& path) {
  std::string out;
  read_pieces(path, [&](std::string_view piece) { out += piece; });
  return out;
}

void write_file(const std::string& path, const std::string& bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void make_directories(const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  SVDLAB_REQUIRE(!failure, Errc::kResource, path, ": directory cannot be made: ", failure.message());
}

std::string sha256(const std::string& bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_file(const std::string& path) {
  Sha256 hash;
  read_pieces(path, [&](std::string_view piece) { hash.add(piece); });
  return hash.hex();
}

}  // namespace svdlab
