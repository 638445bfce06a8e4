#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>
#include <iostream>
#include <sstream>

#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/sampling/items.h"
#include "experiments/study/build_info.h"
#include "experiments/study/provenance.h"

namespace svdlab {
namespace {

constexpr const char* kModel = "notebooks_data/models/flux-cifar";
constexpr double kEnoughGib = 4;

void line(bool ok, const std::string& what, const std::string& value) {
  std::cout << (ok ? "ok    " : "warn  ") << what << std::string(what.size() < 14 ? 14 - what.size() : 1, ' ')
            << value << "\n";
}

// The library that matrix products go to; the build only names an interface.
std::string blas_library() {
  Dl_info info{};
  void* symbol = ::dlsym(RTLD_DEFAULT, "sgemm_");
  if (symbol == nullptr || ::dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return "inside torch";
  std::error_code failure;
  const auto path = std::filesystem::canonical(info.dli_fname, failure);
  return failure ? info.dli_fname : path.string();
}

void check_model() {
  if (!std::filesystem::exists(kModel)) {
    line(false, "model",
         concat(kModel, " is not there; run from the repository's folder, or set `model:` in studies"));
    return;
  }
  try {
    const Model model = load_model(kModel);
    load_conditioning(kModel);
    load_sampling_facts(kModel);
    line(true, "model",
         concat(kModel, ", ", model.class_name, ", ", model.graph.parameter_count(), " parameters"));
  } catch (const Error& e) {
    line(false, "model", e.what());
  }
}

}  // namespace

int doctor_command(const std::vector<std::string>& arguments) {
  Options options("doctor",
                  "Shows what this build is made of and whether this computer has what studies need.",
                  "svdlab doctor");
  if (!options.parse(arguments)) return 0;
  const BuildInfo& info = build_info();
  const Machine m = machine();
  line(info.commit != "unknown", "svdlab", concat(info.version, ", commit ", info.commit));
  line(true, "compiler", info.compiler);
  const bool optimised =
      info.flags.find("-O2") != std::string::npos || info.flags.find("-O3") != std::string::npos;
  line(optimised, "flags", info.flags + (optimised ? "" : "; not optimised: studies will be slow"));
  for (const auto& [name, version] : info.libraries)
    line(true, name, version.empty() ? "version unknown" : version);
  const std::string blas = blas_library();
  const bool reference_blas = blas.find("/blas/libblas") != std::string::npos;
  line(!reference_blas, "blas",
       blas + (reference_blas ? "; the slow reference BLAS: install libopenblas" : ""));
  line(
      at::hasCUDA(), "cuda",
      at::hasCUDA() ? "torch sees a GPU" : "no GPU, or torch was built without CUDA: studies run on the CPU");
  const bool wide = m.features.find("avx2") != std::string::npos;
  line(wide, "processor",
       concat(m.processor, " (", m.features, ")", wide ? "" : "; without AVX2 studies are slow"));
  line(m.cores > 1, "cores", std::to_string(m.cores));
  std::ostringstream memory;
  memory.precision(3);
  memory << m.memory_gib << " GiB"
         << (m.memory_gib < kEnoughGib ? "; 4 are enough for every study here" : "");
  line(m.memory_gib >= kEnoughGib, "memory", memory.str());
  check_model();
  return 0;
}

}  // namespace svdlab
