#include "lowrank/stages.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

std::string prefix(const Value& options) { return options.where.empty() ? "" : options.where + ": "; }

template <class Factory>
auto make_stage(const Registry<Factory>& registry, const std::string& name, const Value& options,
                const std::string& slot, const std::string& path) {
  Factory make = nullptr;
  try {
    make = registry.at(name);
  } catch (const Error& e) {
    throw Error(e.code(), concat(prefix(options), "`", slot, "`: ", e.what()));
  }
  Fields fields(options, path);
  auto stage = make(fields);
  fields.finish();
  return stage;
}

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

void require_consistent(const Recipe& r, const Stages& s, const std::string& path) {
  SVDLAB_REQUIRE(r.rank == 0 || s.driver->makes_branch(), Errc::kConfig, prefix(r.driver_options), "`",
                 join(path, "low_rank.rank"), "` is ", r.rank, ", but driver ", r.driver,
                 " makes no low-rank branch; use rank 0 or another driver");
  SVDLAB_REQUIRE(!r.keeps_16_bit() || (r.transform == "none" && r.rank == 0 && r.activations == "dynamic" &&
                                       r.branch == "none"),
                 Errc::kConfig, prefix(r.weight_options), "`", join(path, "weights"),
                 "` none leaves the layer in 16 bit; drop transform ", r.transform, ", rank ", r.rank,
                 ", activations ", r.activations, " and branch ", r.branch);
}

}  // namespace

Stages make_stages(const Recipe& r, const std::string& path) {
  const auto named = [&](const std::string& slot, const std::string& name) {
    return join(join(path, slot), name);
  };
  Stages s;
  s.transform = make_stage(transforms(), r.transform, r.transform_options, join(path, "transform"),
                           named("transform", r.transform));
  s.driver =
      make_stage(drivers(), r.driver, r.driver_options, join(path, "driver"), named("driver", r.driver));
  s.solver = make_stage(low_rank_solvers(), r.solver, r.solver_options, join(path, "low_rank.solver"),
                        join(path, "low_rank"));
  s.objective = make_stage(low_rank_objectives(), r.objective, r.objective_options,
                           join(path, "low_rank.objective"), named("low_rank.objective", r.objective));
  if (!r.keeps_16_bit())
    s.weights = make_stage(weight_quantizers(), r.weights, r.weight_options, join(path, "weights"),
                           named("weights", r.weights));
  s.activations = make_stage(activation_quantizers(), r.activations, r.activation_options,
                             join(path, "activations"), named("activations", r.activations));
  s.branch = make_stage(extra_branches(), r.branch, r.branch_options, join(path, "branch"),
                        named("branch", r.branch));
  require_consistent(r, s, path);
  return s;
}

}  // namespace svdlab
