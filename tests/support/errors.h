#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"

namespace svdlab::testing {

/// Passes when `body()` throws svdlab::Error with `code`, in one line that contains every part of `parts`.
template <class Body>
::testing::AssertionResult throws_error(Body&& body, Errc code, const std::vector<std::string>& parts = {}) {
  try {
    body();
  } catch (const Error& e) {
    const std::string message = e.what();
    if (e.code() != code)
      return ::testing::AssertionFailure()
             << "exit code " << e.exit_code() << ", not " << static_cast<int>(code) << ": " << message;
    if (message.find('\n') != std::string::npos)
      return ::testing::AssertionFailure() << "message has more than one line: " << message;
    for (const std::string& part : parts)
      if (message.find(part) == std::string::npos)
        return ::testing::AssertionFailure() << "no \"" << part << "\" in: " << message;
    return ::testing::AssertionSuccess();
  } catch (const std::exception& e) {
    return ::testing::AssertionFailure() << "not an svdlab::Error: " << e.what();
  }
  return ::testing::AssertionFailure() << "nothing was thrown";
}

}  // namespace svdlab::testing
