#include <iostream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/quantize/import_deepcompressor.h"

namespace svdlab {

namespace po = boost::program_options;

int config_command(const std::vector<std::string>& arguments) {
  Options options(
      "config import-deepcompressor FILE.yaml... [--out FILE]",
      "Translates DeepCompressor's YAML files, laid over each other left to right (default, model,\n"
      "svdquant, format ...), into a configuration for svdlab quantize, below a comment for every key\n"
      "that says what became of it.",
      "svdlab config import-deepcompressor configs/model/flux.1-dev.yaml\n"
      "         configs/svdquant/__default__.yaml configs/svdquant/int4.yaml --out flux-int4.yaml");
  options.add()("out", po::value<std::string>(), "file to write; default: standard output");
  if (!options.parse(arguments)) return 0;
  std::vector<std::string> files = options.words();
  const std::string what = files.empty() ? "" : files.front();
  SVDLAB_REQUIRE(what == "import-deepcompressor", Errc::kConfig, "svdlab config ", what,
                 ": unknown; nearest: import-deepcompressor (see svdlab config --help)");
  files.erase(files.begin());
  const ImportedConfig imported = import_deepcompressor(files);
  if (options.has("out"))
    write_file(options.get<std::string>("out"), imported.text());
  else
    std::cout << imported.text();
  const std::vector<std::string> lost = imported.of(ImportedKey::Fate::kNoCounterpart);
  std::cerr << imported.keys.size() << " keys, " << imported.of(ImportedKey::Fate::kTranslated).size()
            << " translated, " << lost.size() << " without counterpart";
  for (size_t i = 0; i < lost.size(); ++i) std::cerr << (i == 0 ? ": " : ", ") << lost[i];
  std::cerr << "\n";
  return 0;
}

}  // namespace svdlab
