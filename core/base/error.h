#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace svdlab {

/// What a failure means to the caller; the value is the process exit code (`svdlab --help` prints them).
enum class Errc {
  kUnexpected = 1,   ///< a bug of ours or of a library
  kConfig = 2,       ///< usage, configuration, fingerprint: the user can fix the request
  kInput = 3,        ///< a file or tensor is missing, truncated, hostile or not finite
  kGate = 4,         ///< a comparison ran and did not pass
  kFailedCells = 5,  ///< a study finished, with failed cells
  kResource = 6,     ///< memory or disk
  kLocked = 75,      ///< another process holds the lock; try again later
};

/// `text` with control characters written as \xNN.
inline std::string on_one_line(const std::string& text) {
  const char* digits = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f)
      out += c;
    else
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

/// Bad input of any kind. The message is one line, whatever the texts of a file put into it: the thing, the
/// values, the fix.
class Error : public std::runtime_error {
 public:
  Error(Errc code, const std::string& message) : std::runtime_error(on_one_line(message)), code_(code) {}
  Errc code() const noexcept { return code_; }
  int exit_code() const noexcept { return static_cast<int>(code_); }

 private:
  Errc code_;
};

/// "group ", 64, " of ", "x" -> one string.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace svdlab

/// Throws Error(code, ...) when `condition` is false; the message parts are evaluated only then.
#define SVDLAB_REQUIRE(condition, code, ...)                                      \
  do {                                                                            \
    if (!(condition)) throw ::svdlab::Error(code, ::svdlab::concat(__VA_ARGS__)); \
  } while (false)
