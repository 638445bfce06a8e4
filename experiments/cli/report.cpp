#include <filesystem>
#include <iostream>

#include "core/base/error.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/tables/run_views.h"

namespace svdlab {

int report_command(const std::vector<std::string>& arguments) {
  Options options("report RUN_DIR",
                  "Makes tables/ and report.html of a run directory again from its results.h5.",
                  "svdlab report runs/quickstart-0123456789ab");
  if (!options.parse(arguments)) return 0;
  const std::string& folder = options.word("run directory");
  SVDLAB_REQUIRE(std::filesystem::exists(folder + "/results.h5"), Errc::kInput, folder,
                 "/results.h5 does not exist; svdlab run makes it when the study is finished");
  const ResultFile results = load_results(folder + "/results.h5");
  write_views(folder, results);
  std::cout << summary_text(results) << "\nreport: " << folder << "/report.html\n";
  return 0;
}

}  // namespace svdlab
