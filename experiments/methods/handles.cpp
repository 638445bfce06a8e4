#include "core/base/names.h"
#include "core/io/yaml.h"
#include "experiments/analyze/analysis.h"
#include "experiments/methods/catalogue.h"
#include "experiments/study/study_config.h"
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

template <class Factory>
void build(const Registry<Factory>& registry, const std::string& name) {
  const Value none = Value::map();
  Fields options(none, name);
  registry.at(name)(options);
}

Value yaml(const std::string& text) { return parse_yaml(text, "methods"); }

}  // namespace

void check_handle(const MethodHandle& h) {
  if (h.kind == "preset")
    parse_recipe(yaml("preset: " + h.name), "");
  else if (h.kind == "transform")
    build(transforms(), h.name);
  else if (h.kind == "driver")
    build(drivers(), h.name);
  else if (h.kind == "solver")
    build(low_rank_solvers(), h.name);
  else if (h.kind == "objective")
    build(low_rank_objectives(), h.name);
  else if (h.kind == "weights")
    build(weight_quantizers(), h.name);
  else if (h.kind == "activations")
    build(activation_quantizers(), h.name);
  else if (h.kind == "branch")
    build(extra_branches(), h.name);
  else if (h.kind == "scheme")
    scheme_named(h.name);
  else if (h.kind == "analysis")
    analysis_named(h.name);
  else if (h.kind == "recipe")
    parse_recipe(yaml("{" + h.name + "}"), "");
  else if (h.kind == "calibration")
    parse_study(yaml("{study: check, schemes: [int4], methods: [rtn], calibration: {" + h.name + "}}"));
  else
    throw Error(Errc::kConfig, concat("unknown kind of handle \"", h.kind, "\" for ", h.name));
}

}  // namespace svdlab
