#include "experiments/study/study_config.h"

#include <algorithm>

#include "core/base/names.h"
#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/study/backend.h"
#include "experiments/study/cell_config.h"
#include "experiments/study/provenance.h"
#include "experiments/study/scheme_config.h"

namespace svdlab {
namespace {

// Every key that has a default, so that overrides can name it without a leading +.
constexpr const char* kDefaults = R"(
description: ""
model: notebooks_data/models/flux-cifar
protocol: small
guidance: null
seed: 0
calibration: {pairs: 128, pairs_per_item: 4, tokens: 4096, seed: 0}
outliers: {channels: 0, strength: 1, seed: 0}
plan: default
backend: [reference]
)";
constexpr const char* kSmall = "{items: 32, steps: 10, until_half_width_db: 0, max_items: 256}";
constexpr const char* kFull = "{items: 64, steps: 20, until_half_width_db: 0.5, max_items: 256}";

// `small` and `full` become the maps they stand for; a map keeps its keys and gets the rest of `small`.
void expand_protocol(Value& study) {
  Value& protocol = study.at_or_add("protocol");
  const Value small = parse_yaml(kSmall, "protocol small");
  if (protocol.kind == Value::Kind::kMap) {
    protocol = merge(small, protocol);
    return;
  }
  const std::string name = protocol.as_text("protocol");
  SVDLAB_REQUIRE(name == "small" || name == "full", Errc::kConfig, protocol.where,
                 ": `protocol` must be small, full or {items, steps, until_half_width_db, max_items}, not \"",
                 name, "\"");
  protocol = name == "small" ? small : parse_yaml(kFull, "protocol full");
}

void expand_plan(Value& study) {
  Value& plan = study.at_or_add("plan");
  if (plan.kind == Value::Kind::kScalar && plan.scalar == "default") plan = default_plan();
}

int64_t positive(Fields& f, const std::string& key, int64_t limit) {
  const int64_t value = f.integer(key, 0);
  SVDLAB_REQUIRE(value > 0 && value <= limit, Errc::kConfig, f.where(), ": `", f.path_of(key),
                 "` must be in [1, ", limit, "], not ", value);
  return value;
}

uint64_t seed_of(Fields& f) {
  const int64_t seed = f.integer("seed", 0);
  SVDLAB_REQUIRE(seed >= 0, Errc::kConfig, f.where(), ": `", f.path_of("seed"),
                 "` must not be negative: ", seed);
  return static_cast<uint64_t>(seed);
}

Protocol parse_protocol(const Value& value) {
  Fields f(value, "protocol");
  Protocol p;
  p.items = positive(f, "items", 100000);
  p.steps = positive(f, "steps", 1000);
  p.until_half_width_db = f.number("until_half_width_db", 0);
  p.max_items = positive(f, "max_items", 100000);
  f.finish();
  SVDLAB_REQUIRE(p.until_half_width_db >= 0, Errc::kConfig, value.where,
                 ": `protocol.until_half_width_db` must not be negative: ", p.until_half_width_db);
  return p;
}

CalibrationOptions parse_calibration(const Value& value, const Protocol& protocol) {
  Fields f(value, "calibration");
  CalibrationOptions c;
  c.pairs = positive(f, "pairs", 1 << 20);
  c.pairs_per_item = positive(f, "pairs_per_item", 1000);
  c.tokens = positive(f, "tokens", 1 << 20);
  // Not among the defaults: studies from before there was a choice keep their hash.
  c.timesteps = calibration_steps_named(f.text("timesteps", "random"),
                                        concat(f.where(), ": `", f.path_of("timesteps"), "`"));
  c.time_ranges = f.integer("time_ranges", 0);
  SVDLAB_REQUIRE(c.time_ranges >= 0 && c.time_ranges <= protocol.steps, Errc::kConfig, f.where(), ": `",
                 f.path_of("time_ranges"), "` must be 0 to the protocol's steps, ", protocol.steps, ", not ",
                 c.time_ranges);
  c.seed = seed_of(f);
  f.finish();
  c.steps = protocol.steps;
  const int64_t per_item = std::min(c.pairs_per_item, c.steps);
  SVDLAB_REQUIRE(c.pairs % per_item == 0, Errc::kConfig, value.where, ": `calibration.pairs` ", c.pairs,
                 " must be a multiple of the pairs of one item, ", per_item);
  return c;
}

std::vector<std::string> parse_backends(const Value& value) {
  std::vector<std::string> out;
  const std::vector<std::string>& known = backend_names();
  const auto add = [&](const Value& item) {
    const std::string name = item.as_text("backend");
    SVDLAB_REQUIRE(std::find(known.begin(), known.end(), name) != known.end(), Errc::kConfig, value.where,
                   ": `backend` is [reference], [cuda], [fused-cpu] or several of them, not \"", name,
                   "\"; nearest: \"", nearest(name, known), "\"");
    SVDLAB_REQUIRE(std::find(out.begin(), out.end(), name) == out.end(), Errc::kConfig, value.where,
                   ": `backend` names ", name, " twice");
    out.push_back(name);
  };
  if (value.kind == Value::Kind::kScalar) add(value);
  for (const Value& item : value.items) add(item);
  SVDLAB_REQUIRE(!out.empty(), Errc::kConfig, value.where, ": `backend` is empty; use [reference]");
  return out;
}

// Every cell on every backend, those of one cell side by side; the reference's keep their names.
std::vector<Cell> on_backends(const std::vector<Cell>& cells, const std::vector<std::string>& backends) {
  std::vector<Cell> out;
  for (const Cell& cell : cells)
    for (const std::string& backend : backends) {
      out.push_back(cell);
      if (backend == kReferenceBackend) continue;
      out.back().backend = backend;
      out.back().name += "@" + backend;
      out.back().slug = cell_slug(out.back().name, cell.outliers.tag());
    }
  return out;
}

// Everything a later reader needs to get the same cells: the study's own methods and all schemes in full,
// under their names.
Value resolve(const Value& study, const StudyConfig& config,
              const std::map<std::string, Recipe>& own_methods) {
  Value out = study;
  for (const char* dropped : {"schemes", "exclude"})
    out.members.erase(std::remove_if(out.members.begin(), out.members.end(),
                                     [&](const Value::Member& m) { return m.first == dropped; }),
                      out.members.end());
  Value schemes = Value::map(), methods = Value::map();
  for (const auto& [name, recipe] : own_methods) methods.at_or_add(name) = recipe.to_value();
  for (const Cell& cell : config.cells)
    for (const CellRule& r : cell.rules)
      schemes.at_or_add(r.rule.scheme.name) = scheme_to_value(r.rule.scheme);
  out.at_or_add("scheme") = schemes;
  out.at_or_add("methods") = methods;
  out.at_or_add("cells") = cells_to_value(config.cells);
  const auto name = std::find_if(out.members.begin(), out.members.end(),
                                 [](const Value::Member& m) { return m.first == "study"; });
  std::rotate(out.members.begin(), name, name + 1);
  return out;
}

StudyConfig parse_stacked(const std::vector<std::string>& files, const std::vector<std::string>& overrides) {
  Value value = parse_yaml(kDefaults, "defaults");
  for (const std::string& file : files) {
    const Value settings = load_yaml(file);
    SVDLAB_REQUIRE(settings.kind == Value::Kind::kMap, Errc::kConfig, file,
                   ": a study file is a map of settings: `name: value`, one a line");
    value = merge(value, settings);
  }
  expand_protocol(value);
  expand_plan(value);
  for (const std::string& override_text : overrides) apply_override(value, override_text);
  return parse_study(std::move(value));
}

}  // namespace

StudyConfig parse_study(Value value) {
  value = merge(parse_yaml(kDefaults, "defaults"), value);
  expand_protocol(value);
  expand_plan(value);
  Fields f(value, "");
  StudyConfig s;
  s.name = f.required_text("study");
  SVDLAB_REQUIRE(
      !s.name.empty() && s.name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                  "0123456789-_.") == std::string::npos,
      Errc::kConfig, f.where(), ": `study` names a folder: letters, digits, - _ . only, not \"", s.name,
      "\"");
  s.description = f.text("description", "");
  s.model = f.text("model", "");
  s.protocol = parse_protocol(*f.child("protocol"));
  if (const Value* guidance = f.child("guidance"); guidance->kind != Value::Kind::kNull)
    s.guidance = guidance->as_number("guidance");
  s.seed = seed_of(f);
  s.calibration = parse_calibration(*f.child("calibration"), s.protocol);
  s.backends = parse_backends(*f.child("backend"));
  CellParts parts{.schemes = parse_schemes(f.child("scheme")),
                  .methods = parse_methods(f.child("methods")),
                  .plan = f.child("plan"),
                  .outliers = parse_outlier_dial(*f.child("outliers"), "outliers")};
  const Value *schemes = f.child("schemes"), *exclude = f.child("exclude"), *cells = f.child("cells");
  f.finish();
  const Value* study = value.find("study");
  s.cells = parse_cells(parts, schemes, value.find("methods"), exclude, cells, study->where);
  s.resolved = resolve(value, s, parts.methods);
  s.cells = on_backends(s.cells, s.backends);
  return s;
}

StudyConfig load_study(const std::vector<std::string>& files, const std::vector<std::string>& overrides) {
  SVDLAB_REQUIRE(!files.empty(), Errc::kConfig, "no study file given");
  try {
    return parse_stacked(files, overrides);
  } catch (const Error& e) {
    // What a default refers to may be wrong in a file: then the place is not in it.
    const std::string message = e.what();
    const bool named = message.rfind("override ", 0) == 0 ||
                       std::any_of(files.begin(), files.end(), [&](const std::string& file) {
                         return message.find(file) != std::string::npos;
                       });
    throw Error(e.code(), named ? message : files.back() + ": " + message);
  }
}

std::string study_hash(const StudyConfig& study, const std::string& model_hash) {
  Value identity = study.resolved;
  Value rules = Value::list();
  for (const Cell& cell : study.cells)
    for (const CellRule& r : cell.rules) {
      Value rule = Value::map();
      rule.at_or_add("cell") = Value::text(cell.name);
      rule.at_or_add("match") = Value::text(r.rule.match);
      rule.at_or_add("scheme") = scheme_to_value(r.rule.scheme);
      rule.at_or_add("recipe") = r.rule.recipe.to_value();
      rules.items.push_back(std::move(rule));
    }
  identity.at_or_add("rules") = rules;
  identity.at_or_add("numerics") = Value::integer(kNumericsVersion);
  identity.at_or_add("model") = Value::text(model_hash);
  identity.at_or_add("description") = Value::text("");
  return sha256(identity.canonical_json());
}

}  // namespace svdlab
