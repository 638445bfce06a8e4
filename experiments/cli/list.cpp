#include <iostream>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/ir/scheme.h"
#include "core/models/registry.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/methods/catalogue.h"
#include "experiments/study/backend.h"
#include "lowrank/driver.h"
#include "lowrank/objective.h"
#include "lowrank/recipe.h"
#include "lowrank/solver.h"
#include "quant/activation_quantizer.h"
#include "quant/extra_branch.h"
#include "quant/transform.h"
#include "quant/weight_quantizer.h"

namespace svdlab {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

template <class Factory>
Lines entries(const Registry<Factory>& registry) {
  Lines out;
  for (const auto& e : registry.entries()) out.emplace_back(e.name, e.summary);
  return out;
}

Lines formats() {
  return {{"int4", "-8 .. 7, two's complement; weights and activations"},
          {"uint4", "0 .. 15, activations behind GELU with a fixed shift (shift_after_gelu)"},
          {"int8", "-128 .. 127"},
          {"nf4", "16 quantiles of the normal distribution (QLoRA); weights"},
          {"e2m1", "4-bit float: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives"}};
}

std::string described(const TensorScheme& s) {
  const std::string grouping = s.grouping == Grouping::kGroup ? concat("groups of ", s.group)
                               : s.grouping == Grouping::kRow ? "one scale a row"
                                                              : "one scale";
  return concat(to_string(s.format), ", ", grouping, ", ", to_string(s.scale), " scales",
                s.two_level ? " under an fp32 scale" : "");
}

Lines schemes() {
  Lines out;
  for (const Scheme& s : built_in_schemes()) {
    std::string text = s.weights ? "weights " + described(*s.weights) : "nothing is quantized";
    if (s.weights)
      text += s.activations ? "; activations " + described(s.activations->tensor) : "; 16-bit activations";
    if (s.activations && s.activations->shift_after_gelu) text += ", shifted behind GELU";
    out.emplace_back(s.name, text);
  }
  return out;
}

// What a study may name, then the related systems and what there is of them.
Lines methods() {
  Lines out;
  for (const MethodPreset& p : method_presets()) out.emplace_back(p.name, p.summary);
  out.emplace_back("", "");
  for (const RelatedMethod& m : related_methods())
    out.emplace_back(concat(m.number, ' ', m.name),
                     concat(to_string(m.state()), ": ", m.what, m.handles.empty() ? "" : " (", m.reached_by(),
                            m.handles.empty() ? "" : ")"));
  return out;
}

Lines models() { return entries(architectures()); }
Lines solvers() { return entries(low_rank_solvers()); }
Lines objectives() { return entries(low_rank_objectives()); }
Lines transform_lines() { return entries(transforms()); }
Lines driver_lines() { return entries(drivers()); }
Lines weight_lines() { return entries(weight_quantizers()); }
Lines activation_lines() { return entries(activation_quantizers()); }
Lines branch_lines() { return entries(extra_branches()); }

Lines backends() {
  Lines out;
  for (const std::string& name : backend_names()) out.emplace_back(name, backend_summary(name));
  return out;
}

struct Catalogue {
  std::string name;
  Lines (*lines)();
};
const std::vector<Catalogue> kCatalogues = {{"formats", formats},
                                            {"schemes", schemes},
                                            {"methods", methods},
                                            {"transforms", transform_lines},
                                            {"drivers", driver_lines},
                                            {"solvers", solvers},
                                            {"objectives", objectives},
                                            {"weights", weight_lines},
                                            {"activations", activation_lines},
                                            {"branches", branch_lines},
                                            {"models", models},
                                            {"backends", backends}};

}  // namespace

int list_command(const std::vector<std::string>& arguments) {
  Options options(
      "list "
      "formats|schemes|methods|transforms|drivers|solvers|objectives|weights|activations|branches|models|"
      "backends",
      "Shows what there is, one line each: the names a study may use.", "svdlab list methods");
  options.add()("markdown", "methods alone: the related systems as the table of the project's README");
  if (!options.parse(arguments)) return 0;
  const std::string& wanted = options.word("catalogue");
  if (options.has("markdown")) {
    SVDLAB_REQUIRE(wanted == "methods", Errc::kConfig, "--markdown is for methods, not ", wanted);
    std::cout << related_methods_markdown();
    return 0;
  }
  std::vector<std::string> names;
  for (const Catalogue& c : kCatalogues) {
    names.push_back(c.name);
    if (c.name != wanted) continue;
    size_t width = 0;
    for (const auto& [name, summary] : c.lines()) width = std::max(width, name.size());
    for (const auto& [name, summary] : c.lines())
      std::cout << name << std::string(name.empty() ? 0 : width + 2 - name.size(), ' ') << summary << "\n";
    return 0;
  }
  throw Error(Errc::kConfig, concat("unknown catalogue ", wanted, "; nearest: ", nearest(wanted, names)));
}

}  // namespace svdlab
