#include "experiments/quantize/quantize.h"

#include "core/base/error.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"

namespace svdlab {

namespace po = boost::program_options;

int quantize_command(const std::vector<std::string>& arguments) {
  Options options(
      "quantize MODEL --config C [--stats S] [--lora FILE[:strength]] --out DIR [a.b=c ...]",
      "Compresses a checkpoint of any size, unit by unit, in bounded memory. A run that was interrupted "
      "goes\n"
      "on where it was. mpirun -n N svdlab quantize ... spreads the units over N processes. The result does\n"
      "not depend on threads, processes, the number of GPUs or interruptions. svdlab inspect and sample "
      "--quantized read it.",
      "svdlab quantize notebooks_data/models/flux-cifar --config experiments/configs/quantize/int4.yaml\n"
      "         --stats stats.safetensors --out flux-cifar-int4 method=svdquant");
  options.add()("config", po::value<std::vector<std::string>>()->composing(),
                "which layer gets what; several are laid over each other");
  options.add()("stats", po::value<std::string>()->default_value(""),
                "input statistics, from svdlab calibrate; for methods that need them");
  options.add()("lora", po::value<std::vector<std::string>>()->composing(),
                "FILE[:strength], an adapter to merge into the weights; may be given again");
  options.add()("out", po::value<std::string>(), "folder to write");
  options.add()("threads", po::value<int64_t>()->default_value(0),
                "units at a time, 0: as many as cores and memory allow, or one for each GPU");
  options.add()("device", po::value<std::string>()->default_value("cpu"),
                "cpu, cuda, cuda:1, or GPUs to spread units over: cuda:0,cuda:1");
  options.add()("dry-run", "show layers, unmatched names, memory and disk; write nothing");
  if (!options.parse(arguments)) return 0;
  QuantizeOptions quantize_options;
  std::vector<std::string> overrides;
  for (const std::string& word : options.words()) {
    if (is_override(word)) {
      overrides.push_back(word);
      continue;
    }
    SVDLAB_REQUIRE(quantize_options.model.empty(), Errc::kConfig, "expected one model folder, got ",
                   quantize_options.model, " and ", word);
    quantize_options.model = word;
  }
  SVDLAB_REQUIRE(!quantize_options.model.empty(), Errc::kConfig,
                 "no model folder; usage: svdlab quantize MODEL --config C --stats S --out DIR");
  SVDLAB_REQUIRE(options.has("out"), Errc::kConfig, "--out is missing: the folder to write");
  quantize_options.out = options.get<std::string>("out");
  quantize_options.statistics = options.get<std::string>("stats");
  const auto asked = options.get<int64_t>("threads");
  quantize_options.threads = asked == 0 ? 0 : thread_count(asked);
  quantize_options.devices = parse_devices(options.get<std::string>("device"));
  if (options.has("lora"))
    for (const std::string& text : options.get<std::vector<std::string>>("lora"))
      quantize_options.loras.push_back(parse_lora_choice(text));
  const Ranks ranks;
  quantize_options.config = load_quantize_config(
      options.has("config") ? options.get<std::vector<std::string>>("config") : std::vector<std::string>(),
      overrides);
  if (options.has("dry-run"))
    describe_quantize(quantize_options);
  else
    quantize(quantize_options, ranks);
  return 0;
}

}  // namespace svdlab
