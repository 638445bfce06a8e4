#include "experiments/cli/command.h"

#include <cstdio>
#include <exception>
#include <iostream>
#include <new>

#include "core/base/error.h"
#include "core/base/names.h"
#include "experiments/study/build_info.h"

namespace svdlab {
namespace {

std::vector<std::string> words;

const char* kind_of(Errc code) {
  switch (code) {
    case Errc::kConfig:
      return "config";
    case Errc::kInput:
      return "input";
    case Errc::kGate:
      return "gate";
    case Errc::kFailedCells:
      return "failed-cells";
    case Errc::kResource:
      return "resource";
    case Errc::kLocked:
      return "locked";
    case Errc::kUnexpected:
      break;
  }
  return "unexpected";
}

// Libraries put line breaks and stack traces into their messages; users get the first line.
std::string one_line(const std::string& text) {
  const size_t end = text.find('\n');
  return end == std::string::npos ? text : text.substr(0, end);
}

int report(Errc code, const std::string& message) {
  std::cout.flush();
  std::fprintf(stderr, "error[%s]: %s\n", kind_of(code), one_line(message).c_str());
  return static_cast<int>(code);
}

void print_help() {
  std::cout << "svdlab COMMAND [options]: a lab for 4-bit diffusion models\n\nCommands (each has --help):\n";
  for (const Command& c : commands())
    std::cout << "  " << c.name << std::string(15 - c.name.size(), ' ') << c.summary << "\n";
  std::cout << "\nOptions:\n  -h, --help   this text\n  --version    version, commit, compiler, libraries\n"
               "\nExit codes:\n"
               "  0    done\n"
               "  1    unexpected failure: a bug\n"
               "  2    usage or configuration\n"
               "  3    an input is missing or damaged\n"
               "  4    a comparison ran and a gate did not pass (compare, baseline check)\n"
               "  5    the study finished, with failed cells\n"
               "  6    out of memory or disk, or the output cannot be written\n"
               "  75   another process holds the lock; try again later\n"
               "  130, 143  interrupted; the same command goes on from the finished cells\n"
               "\nExample:\n  svdlab run experiments/configs/quickstart.yaml\n";
}

void print_version() {
  const BuildInfo& info = build_info();
  std::cout << "svdlab " << info.version << " (" << info.commit << "), " << info.compiler << ", "
            << info.flags << "\n";
  for (const auto& [name, version] : info.libraries) std::cout << name << " " << version << "\n";
}

int dispatch(const std::vector<std::string>& arguments) {
  const std::string first = arguments.empty() ? "" : arguments.front();
  if (first == "-h" || first == "--help" || first == "help") return print_help(), 0;
  if (first == "--version") return print_version(), 0;
  std::vector<std::string> names;
  for (const Command& c : commands()) {
    if (c.name == first) return c.run({arguments.begin() + 1, arguments.end()});
    names.push_back(c.name);
  }
  SVDLAB_REQUIRE(!first.empty(), Errc::kConfig, "no command given; see svdlab --help");
  if (first[0] == '-') names = {"--help", "--version"};
  throw Error(Errc::kConfig, concat("unknown ", first[0] == '-' ? "flag " : "command ", first,
                                    "; nearest: ", nearest(first, names), " (see svdlab --help)"));
}

}  // namespace

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"run", "run a study: quantize, sample, measure, write tables and a report", run_command},
      {"report", "make a run's tables and report again from its results.h5", report_command},
      {"export-events", "write a run's cells as TensorBoard event files", export_events_command},
      {"analyze", "look into layers, sensitivity, spectra, outliers, timesteps", analyze_command},
      {"eval", "measure a folder of pictures against another", eval_command},
      {"compare", "compare two results, or two builds on one study, with gates", compare_command},
      {"baseline", "keep and check the golden results of the embedded model", baseline_command},
      {"quantize", "compress a checkpoint of any size into files", quantize_command},
      {"export", "pack a compressed checkpoint for Nunchaku, diffusers or ModelOpt", export_command},
      {"lora", "attach, detach or merge a LoRA adapter", lora_command},
      {"config", "translate DeepCompressor configurations", config_command},
      {"sample", "make pictures with a model, 16 bit or quantized", sample_command},
      {"calibrate", "collect input statistics of a model", calibrate_command},
      {"train", "train or distil a model", train_command},
      {"inspect", "show what is in a model folder, a safetensors file or results", inspect_command},
      {"repro", "measure a published table and judge it cell by cell", repro_command},
      {"bench", "time kernels, and a step of a FLUX.1-sized model, on a GPU", bench_command},
      {"list", "show the catalogue: formats, methods, models, schemes ...", list_command},
      {"doctor", "check this build and this computer", doctor_command},
  };
  return table;
}

const std::vector<std::string>& program_arguments() { return words; }

int run_program(const std::vector<std::string>& arguments) {
  words = arguments;
  try {
    return dispatch(arguments);
  } catch (const Error& e) {
    return report(e.code(), e.what());
  } catch (const std::bad_alloc&) {
    return report(Errc::kResource, "out of memory; use fewer --threads or a smaller calibration");
  } catch (const std::exception& e) {
    return report(Errc::kUnexpected, e.what());
  }
}

}  // namespace svdlab
