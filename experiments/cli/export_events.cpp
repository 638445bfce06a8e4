#include <iostream>

#include "core/base/error.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/tensorboard/export_run.h"

namespace svdlab {

namespace po = boost::program_options;

int export_events_command(const std::vector<std::string>& arguments) {
  Options options(
      "export-events RUN_DIR --tensorboard DIR",
      "Writes the finished cells of a run as TensorBoard event files: scalars and pictures, a folder\n"
      "a cell. Files of an earlier export are replaced.",
      "svdlab export-events runs/quickstart-0123456789ab --tensorboard logs");
  options.add()("tensorboard", po::value<std::string>(), "folder of event files");
  options.add()("items", po::value<int64_t>()->default_value(4), "pictures of so many items");
  if (!options.parse(arguments)) return 0;
  const std::string& run = options.word("run directory");
  SVDLAB_REQUIRE(options.has("tensorboard"), Errc::kConfig,
                 "export-events needs --tensorboard DIR, where the event files go");
  const int64_t items = options.get<int64_t>("items");
  SVDLAB_REQUIRE(items >= 0, Errc::kConfig, "--items must not be negative: ", items);
  const std::string folder = options.get<std::string>("tensorboard");
  const tensorboard::Exported done = tensorboard::export_run(run, folder, items);
  std::cout << done.cells << " cells, " << done.scalars << " scalars, " << done.images
            << " pictures; tensorboard --logdir " << folder << "\n";
  return 0;
}

}  // namespace svdlab
