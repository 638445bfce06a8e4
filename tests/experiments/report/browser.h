#pragma once
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/io/files.h"

namespace svdlab::report {

/// The Chromium of this machine, "" without one.
inline std::string chromium() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"})
    if (std::system(("command -v " + std::string(name) + " > /dev/null 2>&1").c_str()) == 0) return name;
  return "";
}

/// A headless browser for pages in `folder`, where it also keeps its profile.
class Browser {
 public:
  explicit Browser(const std::string& folder) : folder_(folder) {}

  struct Page {
    std::string dom;                   ///< after its scripts have run
    std::vector<std::string> console;  ///< what it wrote to the console, errors of its scripts included
  };
  Page load(const std::string& file) const {
    run("--dump-dom", file);
    Page out{read_file(folder_ + "/browser.out"), {}};
    std::istringstream log(read_file(folder_ + "/browser.err"));
    for (std::string line; std::getline(log, line);)
      if (line.find("CONSOLE") != std::string::npos) out.console.push_back(line);
    return out;
  }

  enum class Scheme { kDark = 0, kLight = 1 };  // numbers of the browser's setting
  /// The first screen of the page.
  void screenshot(const std::string& file, Scheme scheme, const std::string& png) const {
    run("--hide-scrollbars --window-size=1280,1000 --screenshot='" + png +
            "' --blink-settings=preferredColorScheme=" + std::to_string(static_cast<int>(scheme)),
        file);
  }

 private:
  void run(const std::string& what, const std::string& file) const {
    // As root, in a container, there is no sandbox to be had.
    const std::string command =
        "timeout 120 " + chromium() + " --headless --no-sandbox --disable-gpu --disable-dev-shm-usage " +
        "--disable-background-networking --enable-logging=stderr --user-data-dir='" + folder_ + "/profile' " +
        what + " 'file://" + file + "' > '" + folder_ + "/browser.out' 2> '" + folder_ + "/browser.err'";
    SVDLAB_REQUIRE(std::system(command.c_str()) == 0, Errc::kUnexpected, "failed: ", command);
  }

  std::string folder_;
};

}  // namespace svdlab::report
