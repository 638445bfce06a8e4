#include <iostream>

#include "core/base/error.h"
#include "core/io/yaml.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/train/trainer.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  for (size_t start = 0; start <= list.size();) {
    const size_t comma = std::min(list.find(',', start), list.size());
    out.push_back(list.substr(start, comma - start));
    start = comma + 1;
  }
  return out;
}

}  // namespace

int train_command(const std::vector<std::string>& arguments) {
  Options options(
      "train CONFIG.yaml --out DIR [a.b=c ...]",
      "Trains a model, or distils one, and writes it as a model folder; goes on from DIR/state.",
      "svdlab train experiments/configs/train/flux-cifar.yaml --out models/flux-cifar batch=64 steps=100");
  options.add()("out", po::value<std::string>(), "model folder to write");
  options.add()("devices", po::value<std::string>()->default_value("cpu"),
                "e.g. cuda:0,cuda:1; the batch is split evenly");
  options.add()("stop-after", po::value<double>()->default_value(0),
                "seconds after which to save and stop, 0: never");
  if (!options.parse(arguments)) return 0;
  SVDLAB_REQUIRE(!options.words().empty(), Errc::kConfig,
                 "no training configuration given; usage: svdlab train CONFIG.yaml --out DIR");
  SVDLAB_REQUIRE(options.has("out"), Errc::kConfig, "--out is missing: the model folder to write");
  Value config = load_yaml(options.words().front());
  for (size_t i = 1; i < options.words().size(); ++i) apply_override(config, options.words()[i]);
  const int64_t steps =
      train(parse_train_config(config), {.out = options.get<std::string>("out"),
                                         .devices = split(options.get<std::string>("devices")),
                                         .stop_after_seconds = options.get<double>("stop-after")});
  std::cout << steps << " steps, model in " << options.get<std::string>("out") << "\n";
  return 0;
}

}  // namespace svdlab
