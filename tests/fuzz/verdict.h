#pragma once
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/error.h"

namespace svdlab::fuzz {

/// Runs `read` on what may be hostile. True: accepted. False: refused as bad input, in one printable line
/// that names `thing`. Everything else ends the process.
template <class Read>
bool accepted(const std::string& thing, const Read& read) {
  std::string fault;
  try {
    read();
    return true;
  } catch (const Error& e) {
    const std::string message = e.what();
    const bool printable =
        std::none_of(message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (e.code() != Errc::kInput && e.code() != Errc::kConfig)
      fault = concat("exit code ", e.exit_code(), ": ", message);
    else if (!printable)
      fault = "more than a printable line: " + message;
    else if (message.find(thing) == std::string::npos)
      fault = concat("does not name ", thing, ": ", message);
    else
      return false;
  } catch (const std::exception& e) {
    fault = concat("not an Error: ", e.what());
  }
  std::fprintf(stderr, "a refusal that is none: %s\n", fault.c_str());
  std::abort();
}

}  // namespace svdlab::fuzz
