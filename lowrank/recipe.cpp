#include "lowrank/recipe.h"

#include "core/base/names.h"
#include "core/io/yaml.h"
#include "lowrank/stages.h"

namespace svdlab {
namespace {

// `name` or `{name: options}`.
void read_stage(const Value* value, const std::string& path, std::string& name, Value& options) {
  if (!value) return;
  options = Value::map();
  options.where = value->where;
  if (value->kind != Value::Kind::kMap) {
    name = value->as_text(path);
    return;
  }
  SVDLAB_REQUIRE(value->members.size() == 1, Errc::kConfig, value->where, ": `", path,
                 "` must be one stage, `name` or `{name: {options}}`, not ", value->members.size());
  name = value->members.front().first;
  if (value->members.front().second.kind != Value::Kind::kNull) options = value->members.front().second;
}

Value stage_value(const std::string& name, const Value& options) {
  if (options.members.empty()) return Value::text(name);
  Value v = Value::map();
  v.at_or_add(name) = options;
  return v;
}

// Beside rank, solver and objective, every key is an option of the solver; another solver starts from none.
void read_low_rank(const Value* value, const std::string& path, Recipe& r) {
  if (!value) return;
  Fields fields(*value, path);
  r.rank = fields.integer("rank", r.rank);
  SVDLAB_REQUIRE(r.rank >= 0, Errc::kConfig, value->where, ": `", path,
                 ".rank` must not be negative: ", r.rank);
  const std::string solver = fields.text("solver", r.solver);
  if (solver != r.solver) r.solver_options = Value::map();
  r.solver = solver;
  read_stage(fields.child("objective"), fields.path_of("objective"), r.objective, r.objective_options);
  r.solver_options.where = value->where;
  for (const Value::Member& m : value->members)
    if (m.first != "rank" && m.first != "solver" && m.first != "objective")
      r.solver_options.at_or_add(m.first) = m.second;
}

const std::vector<std::string> kScorings = {"auto", "tokens", "gram"};  // as in Scoring

Scoring read_scoring(Fields& fields, Scoring fallback) {
  const std::string name = fields.text("score", kScorings[static_cast<int>(fallback)]);
  const auto found = std::find(kScorings.begin(), kScorings.end(), name);
  SVDLAB_REQUIRE(found != kScorings.end(), Errc::kConfig, fields.where(), ": `", fields.path_of("score"),
                 "` must be auto, tokens or gram, not ", name);
  return static_cast<Scoring>(found - kScorings.begin());
}

bool read_by_timestep(Fields& fields, bool fallback) {
  const std::string name = fields.text("timesteps", fallback ? "ranges" : "all");
  SVDLAB_REQUIRE(name == "ranges" || name == "all", Errc::kConfig, fields.where(), ": `",
                 fields.path_of("timesteps"), "` must be ranges or all, not ", name);
  return name == "ranges";
}

bool read_joint_segments(Fields& fields, bool fallback) {
  const std::string name = fields.text("segments", fallback ? "joint" : "split");
  SVDLAB_REQUIRE(name == "joint" || name == "split", Errc::kConfig, fields.where(), ": `",
                 fields.path_of("segments"), "` must be joint or split, not ", name);
  return name == "joint";
}

Recipe preset_recipe(const std::string& name, const std::string& where, const std::string& path) {
  std::vector<std::string> names;
  for (const MethodPreset& preset : method_presets()) {
    if (preset.name == name) return parse_recipe(parse_yaml(preset.yaml, "preset " + name), path);
    names.push_back(preset.name);
  }
  throw Error(Errc::kConfig,
              concat(where.empty() ? "" : where + ": ", "`", path.empty() ? "" : path + ".",
                     "preset` names no method: \"", name, "\"; nearest: \"", nearest(name, names), "\""));
}

}  // namespace

Value Recipe::to_value() const {
  Value v = Value::map();
  v.at_or_add("transform") = stage_value(transform, transform_options);
  v.at_or_add("driver") = stage_value(driver, driver_options);
  Value& low_rank = v.at_or_add("low_rank") = Value::map();
  low_rank.at_or_add("rank") = Value::integer(rank);
  low_rank.at_or_add("solver") = Value::text(solver);
  // The default goes without saying: recipes from before there was a choice keep their hash.
  if (objective != "plain") low_rank.at_or_add("objective") = stage_value(objective, objective_options);
  for (const Value::Member& m : solver_options.members) low_rank.at_or_add(m.first) = m.second;
  v.at_or_add("weights") = stage_value(weights, weight_options);
  if (activations != "dynamic") v.at_or_add("activations") = stage_value(activations, activation_options);
  if (branch != "none") v.at_or_add("branch") = stage_value(branch, branch_options);
  if (joint_segments) v.at_or_add("segments") = Value::text("joint");
  if (by_timestep) v.at_or_add("timesteps") = Value::text("ranges");
  if (score != Scoring::kAuto) v.at_or_add("score") = Value::text(kScorings[static_cast<int>(score)]);
  return v;
}

Recipe parse_recipe(const Value& value, const std::string& path) {
  Fields fields(value, path);
  Recipe r;
  if (fields.has("preset")) r = preset_recipe(fields.text("preset", ""), value.where, path);
  read_stage(fields.child("transform"), fields.path_of("transform"), r.transform, r.transform_options);
  read_stage(fields.child("driver"), fields.path_of("driver"), r.driver, r.driver_options);
  read_low_rank(fields.child("low_rank"), fields.path_of("low_rank"), r);
  read_stage(fields.child("weights"), fields.path_of("weights"), r.weights, r.weight_options);
  read_stage(fields.child("activations"), fields.path_of("activations"), r.activations, r.activation_options);
  read_stage(fields.child("branch"), fields.path_of("branch"), r.branch, r.branch_options);
  r.joint_segments = read_joint_segments(fields, r.joint_segments);
  r.by_timestep = read_by_timestep(fields, r.by_timestep);
  r.score = read_scoring(fields, r.score);
  fields.finish();
  make_stages(r, path);
  return r;
}

const std::vector<MethodPreset>& method_presets() {
  static const std::vector<MethodPreset> presets = {
      {"bf16", "nothing is quantized", "weights: none"},
      {"rtn", "round to nearest", "weights: rtn"},
      {"smooth", "smoothing with fixed exponents (SmoothQuant)",
       "transform: {smooth: {alpha: 0.5, beta: 0.5}}"},
      {"smooth-grid", "smoothing, exponents searched by output error", "transform: {smooth: {grid: 20}}"},
      {"svd", "low-rank branch on the plain weight",
       "{driver: svdquant, low_rank: {rank: 8, solver: randomized}}"},
      {"lorc", "low-rank branch fitted to the quantization error",
       "{driver: lorc, low_rank: {rank: 8, solver: randomized}}"},
      {"eora", "lorc fitted to the error of the output (EoRA)",
       "{preset: lorc, low_rank: {objective: whitened}}"},
      {"lord", "low-rank branch on the leading directions of the output (LoRD), residual rounded",
       "{preset: svd, low_rank: {objective: whitened}}"},
      {"fwsvd", "low-rank branch weighted by the rows' gradients (FWSVD), residual rounded",
       "{preset: svd, low_rank: {objective: fisher-rows}}"},
      {"lq-lora", "lorc, quantized part and branch refitted in turn (LQ-LoRA)",
       "{driver: {alternate: {iterations: 50, judge: norm}}, low_rank: {rank: 8, solver: randomized}}"},
      {"lq-lora-fisher", "lq-lora weighted by the gradients of rows and columns",
       "{preset: lq-lora, low_rank: {objective: fisher}}"},
      {"gptq", "error-compensating rounding", "weights: gptq"},
      {"smooth-gptq", "searched smoothing, then GPTQ", "{transform: {smooth: {grid: 20}}, weights: gptq}"},
      {"svdquant", "searched smoothing, low-rank branch, residual rounded to nearest",
       "{transform: {smooth: {grid: 20}}, driver: svdquant, low_rank: {rank: 8, solver: randomized}}"},
      {"svdquant-iterated", "svdquant, branch and residual refitted in turn",
       "{preset: svdquant, driver: {svdquant: {iterations: 20, early_stop: true}}}"},
      {"svdquant-h",
       "svdquant-iterated, the branch weighted by the input's Gram matrix (H-SVDQuant's decomposition)",
       "{preset: svdquant-iterated, low_rank: {objective: whitened}}"},
      {"svdquant-fwsvd", "svdquant-iterated, the branch weighted by the rows' gradients",
       "{preset: svdquant-iterated, low_rank: {objective: fisher-rows}}"},
      {"svdquant-fisher", "svdquant-iterated, the branch weighted by the gradients of rows and columns",
       "{preset: svdquant-iterated, low_rank: {objective: fisher}}"},
      {"svdquant-gptq", "svdquant-iterated with GPTQ on the residual",
       "{preset: svdquant-iterated, weights: gptq}"},
      {"svdquant-h-gptq", "svdquant-h with GPTQ on the residual", "{preset: svdquant-h, weights: gptq}"},
      {"svdquant-warm", "svdquant-iterated, branches started from the last candidate's or round's",
       "{preset: svdquant-iterated, low_rank: {solver: subspace}}"},
      {"svdquant-patient", "svdquant-warm, up to 100 rounds and on past 20 that are no better",
       "{preset: svdquant-warm, driver: {svdquant: {iterations: 100, patience: 20}}}"},
      {"svdquant-scales", "svdquant-iterated, scales of the residual searched",
       "{preset: svdquant-iterated, weights: scale-search}"},
      {"svdquant-gptq-scales", "svdquant-gptq with searched scales",
       "{preset: svdquant-gptq, weights: {gptq: {scales: search}}}"},
      {"svdquant-refit", "svdquant-iterated, `up` fitted to the output in every round",
       "{preset: svdquant-iterated, driver: {svdquant: {iterations: 20, early_stop: true, refit: true}}}"},
      {"svdquant-closed-form", "svdquant-iterated, smoothing by formula instead of the search",
       "{preset: svdquant-iterated, transform: closed-form}"},
      {"svdquant-awq-lite", "svdquant in one round with ModelOpt's smoothing (NVFP4_SVDQUANT there)",
       "{preset: svdquant, transform: awq-lite}"},
      {"svdquant-full", "grid, iteration, refit, GPTQ on searched scales: all of it, warm-started",
       "{preset: svdquant-warm, driver: {svdquant: {iterations: 20, patience: 2, refit: true}}, "
       "weights: {gptq: {scales: search}}}"},
      {"scales", "round to nearest under searched scales", "weights: scale-search"},
      {"hadamard", "rtn behind a Hadamard rotation with random signs", "transform: hadamard"},
      {"random-rotation", "rtn behind random orthogonal blocks", "transform: random-orthogonal"},
      {"outlier-rotation", "rtn behind a rotation aimed at outliers (DuQuant)", "transform: outlier-aware"},
      {"adaptive-rotation", "hadamard where a layer is mild, outlier-rotation where not (LRQ-DiT)",
       "transform: adaptive-rotation"},
      {"smooth-rotate", "searched smoothing, then a Hadamard rotation",
       "transform: {smooth-rotate: {grid: 20}}"},
      {"rotate-smooth", "a Hadamard rotation, then searched smoothing behind it (QuantVGGT's order)",
       "transform: {rotate-smooth: {grid: 20}}"},
      {"svdquant-hadamard", "svdquant with a Hadamard rotation behind the smoothing",
       "{preset: svdquant, transform: {smooth-rotate: {grid: 20}}}"},
      {"svdquant-rotate-smooth", "svdquant with a Hadamard rotation before the smoothing",
       "{preset: svdquant, transform: {rotate-smooth: {grid: 20}}}"},
      {"svdquant-adaptive-rotation", "svdquant with LRQ-DiT's rotation in place of smoothing",
       "{preset: svdquant, transform: adaptive-rotation}"},
      {"affine",
       "affine weights, static activations (the whitepaper's baseline); a scheme of grouping tensor",
       "{weights: affine, activations: static}"},
      {"static-percentile", "rtn, static activations that clip beyond a percentile (Quamba's observer)",
       "activations: {static: {percentile: 0.9995}}"},
      {"crossquant", "steps of activations from maxima of token and channel (CrossQuant); grouping row",
       "{transform: {smooth: {alpha: 0.85, beta: 0}}, activations: {cross: {alpha: 0.15}}}"},
      {"noisyquant", "uniform noise before rounding, its range searched (NoisyQuant)", "transform: noisy"},
      {"noisyquant-gaussian", "noisyquant with gaussian noise, as its program has it",
       "transform: {noisy: {law: gaussian}}"},
      {"vidit-q", "smooth for each range of timesteps; grouping row (ViDiT-Q's balancing)",
       "{preset: smooth, timesteps: ranges}"},
      {"repq", "per-channel scales and zero points moved into the weight (RepQ-ViT); affine activations",
       "{transform: repq, activations: {static: {step: 1}}, weights: affine}"},
      {"post", "powers of the square root of 2 as levels (ASQ/POST)", "weights: post"},
      {"nf", "4-bit NormalFloat with double quantization of scales (QLoRA)",
       "weights: {nf: {double_quant: true}}"},
      {"twin-log", "logarithmic levels found for each sign (LRQ-DiT)", "weights: twin-log"},
      {"gptq-nf", "GPTQ on NormalFloat levels", "weights: {gptq: {grid: nf}}"},
      {"spqr", "3-bit GPTQ with quantized scales, outlier weights in 16 bit (SpQR)",
       "{weights: {gptq: {grid: bilevel}}, branch: {sparse: {by: spqr, tau: 0.2}}}"},
      {"gwq", "the weights of the largest gradients in 16 bit, the rest rounded (GWQ)",
       "branch: {sparse: {by: gradient, share: 0.01}}"},
      {"sparse", "the largest weights in 16 bit, the rest rounded",
       "branch: {sparse: {by: magnitude, share: 0.01}}"},
      {"llm-int8", "input channels that reach 6 in 16 bit (LLM.int8())", "branch: {columns: {threshold: 6}}"},
      {"llm-int8-dynamic", "llm-int8, channels chosen at each call",
       "branch: {columns: {threshold: 6, dynamic: true}}"},
      {"kronecker", "sum of Kronecker products in 16 bit, the rest rounded (SoKA)", "branch: kronecker"},
      {"lq-lora-nf", "lq-lora on 4-bit NormalFloat with double quantization",
       "{preset: lq-lora, weights: {nf: {double_quant: true}}}"},
      {"svdquant-post", "svdquant-iterated, residual in powers of the square root of 2",
       "{preset: svdquant-iterated, weights: post}"},
      {"svdquant-nf", "svdquant-iterated, residual in NormalFloat with double quantization",
       "{preset: svdquant-iterated, weights: {nf: {double_quant: true}}}"},
      {"svdquant-twin-log", "svdquant-iterated, residual on logarithmic levels",
       "{preset: svdquant-iterated, weights: twin-log}"},
      {"svdquant-spqr", "svdquant-iterated on top of SpQR's outliers and format",
       "{preset: svdquant-iterated, weights: {gptq: {grid: bilevel}}, "
       "branch: {sparse: {by: spqr, tau: 0.2}}}"},
      {"svdquant-gwq", "svdquant-iterated beside the weights of the largest gradients",
       "{preset: svdquant-iterated, branch: {sparse: {by: gradient, share: 0.01}}}"},
      {"svdquant-sparse", "svdquant-iterated beside the largest weights",
       "{preset: svdquant-iterated, branch: {sparse: {by: magnitude, share: 0.01}}}"},
      {"svdquant-columns", "svdquant-iterated beside the input channels that reach 6",
       "{preset: svdquant-iterated, branch: {columns: {threshold: 6}}}"},
      {"svdquant-kronecker", "svdquant-iterated beside a sum of Kronecker products",
       "{preset: svdquant-iterated, branch: kronecker}"},
  };
  return presets;
}

}  // namespace svdlab
