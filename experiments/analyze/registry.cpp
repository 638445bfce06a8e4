#include "core/base/names.h"
#include "experiments/analyze/analysis.h"

namespace svdlab {

namespace {

// A study keeps adaLN linears in W4A16 in every cell; here they get each scheme like all others in blocks.
constexpr const char* kEveryBlock =
    R"([{match: "*blocks.*", recipe: {scheme: $scheme, method: $method}}, {match: "*", recipe: {scheme: bf16}}])";

}  // namespace

const std::vector<Analysis>& analyses() {
  static const std::vector<Analysis> table = {
      {.name = "layers",
       .summary = "every linear: shape, weights, inputs, and its error and bits under each scheme",
       .schemes = "[int4, nvfp4, mxfp4, w8a8]",
       .methods = "[rtn]",
       .items = 1,
       .steps = 10,
       .plan = kEveryBlock,
       .tables = {"/layer_facts", "/layer_errors"},
       .cell = layer_errors_by_scheme,
       .reference = layer_facts},
      {.name = "sensitivity",
       .summary = "what quantizing one part alone costs, and what leaving that part alone in 16 bit gains",
       .schemes = "[int4]",
       .methods = "[rtn]",
       .items = 8,
       .steps = 4,
       .trajectories = true,
       .tables = {"/sensitivity", "/sensitivity_items"},
       .cell = sensitivity,
       .reference = nullptr},
      {.name = "spectrum",
       .summary = "energy that rank r captures of weights, smoothed weights and quantization errors",
       .schemes = "[int4]",
       .methods = "[smooth]",
       .items = 1,
       .steps = 10,
       .tables = {"/spectrum_energy"},
       .cell = spectrum_energy,
       .reference = nullptr},
      {.name = "outliers",
       .summary = "outlier channels of inputs and weights, smoothed or not, against the rank taken out",
       .schemes = "[int4]",
       .methods = "[smooth]",
       .items = 1,
       .steps = 10,
       .tables = {"/outlier_rank"},
       .cell = outlier_rank,
       .reference = nullptr},
      {.name = "timesteps",
       .summary = "errors of latents and layers by sampling step, and how input ranges drift along the steps",
       .schemes = "[int4]",
       .methods = "[rtn, svdquant]",
       .items = 8,
       .steps = 10,
       .trajectories = true,
       .tables = {"/timestep_ranges"},
       .cell = nullptr,
       .reference = timestep_ranges,
       .whole_cell = true},
      {.name = "hidden",
       .summary = "Matrix Nuclear-Norm of hidden states, 16 bit against quantized",
       .schemes = "[int4, nvfp4]",
       .methods = "[rtn, svdquant]",
       .items = 4,
       .steps = 10,
       .trajectories = true,
       .tables = {"/hidden_states"},
       .cell = hidden_states,
       .reference = nullptr}};
  return table;
}

const Analysis& analysis_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Analysis& a : analyses()) {
    if (a.name == name) return a;
    names.push_back(a.name);
  }
  throw Error(Errc::kConfig, concat("unknown analysis \"", name, "\"; nearest: \"", nearest(name, names),
                                    "\" (see svdlab analyze --help)"));
}

}  // namespace svdlab
