#include "experiments/quantize/import_deepcompressor.h"

#include <algorithm>
#include <optional>

#include "core/io/yaml.h"
#include "experiments/quantize/config_leaves.h"
#include "experiments/study/scheme_config.h"

namespace svdlab {
namespace {

using Fate = ImportedKey::Fate;

struct Named {
  const char *theirs, *ours;
};
constexpr Named kFormats[] = {{"sint4", "int4"}, {"sint8", "int8"}, {"sfp4_e2m1_all", "e2m1"}};
constexpr Named kScales[] = {{"", "bf16"}, {"sfp8_e4m3_nan", "e4m3"}, {"ufp8_e8m0_nan", "e8m0"}};

template <size_t n>
std::string translated(const Named (&table)[n], const std::string& theirs, const std::string& key,
                       const Leaves& leaves) {
  for (const Named& entry : table)
    if (theirs == entry.theirs) return entry.ours;
  throw Error(Errc::kConfig, concat(leaves.where(key), ": `", key, "` is ", theirs.empty() ? "null" : theirs,
                                    ", which no scheme here has"));
}

// [1, 64, 1, 1, 1] -> {1, 64}; -1 is "all".
std::vector<int64_t> shape_of(const Value& list, const std::string& key) {
  std::vector<int64_t> out;
  for (const Value& item : list.items) out.push_back(item.as_integer(key));
  return out;
}

// {format, group | grouping, scale, two_level} of quant.wgts, quant.ipts or quant.extra_wgts; null when the
// format is null.
std::optional<Value> tensor_scheme(Leaves& leaves, const std::string& path) {
  const std::string key = path + ".dtype", shapes_key = path + ".group_shapes",
                    scales_key = path + ".scale_dtypes";
  const Value* dtype = leaves.find(key);
  if (!dtype || dtype->kind == Value::Kind::kNull) {
    for (const std::string& k : {key, shapes_key, scales_key}) leaves.note(k, Fate::kTranslated, "16 bit");
    return {};
  }
  Value v = Value::map();
  v.at_or_add("format") = Value::text(translated(kFormats, dtype->scalar, key, leaves));
  const Value* shapes = leaves.find(shapes_key);
  std::vector<std::vector<int64_t>> levels;
  if (shapes)
    for (const Value& level : shapes->items) levels.push_back(shape_of(level, shapes_key));
  if (levels.empty()) levels = {{1, -1}};
  const std::vector<int64_t> whole = {-1, -1};
  const bool two_level = levels.size() == 2 && levels[0] == whole;
  const std::vector<int64_t>& shape = levels.back();
  SVDLAB_REQUIRE((levels.size() == 1 || two_level) && shape.size() >= 2 && (shape[0] == 1 || shape == whole),
                 Errc::kConfig, leaves.where(shapes_key), ": `", shapes_key, "` is ",
                 shapes ? shapes->canonical_json() : "",
                 ", which no scheme here has: one level, or two with [-1, -1] first");
  if (shape[1] > 0)
    v.at_or_add("group") = Value::integer(shape[1]);
  else
    v.at_or_add("grouping") = Value::text(shape[0] == 1 ? "row" : "tensor");
  const Value* scales = leaves.find(scales_key);
  const Value* last = scales && !scales->items.empty() ? &scales->items.back() : nullptr;
  const std::string scale = last && last->kind == Value::Kind::kScalar ? last->scalar : "";
  v.at_or_add("scale") = Value::text(translated(kScales, scale, scales_key, leaves));
  if (two_level) v.at_or_add("two_level") = Value::boolean(true);
  const Value* zero = leaves.find(path + ".zero_point");
  SVDLAB_REQUIRE(!zero || zero->kind == Value::Kind::kNull, Errc::kConfig, leaves.where(path + ".zero_point"),
                 ": `", path, ".zero_point` is set; formats here are symmetric");
  leaves.note(key, Fate::kTranslated, "format " + v.find("format")->scalar);
  leaves.note(shapes_key, Fate::kTranslated, "group or grouping");
  leaves.note(scales_key, Fate::kTranslated, "scale " + v.find("scale")->scalar);
  leaves.note(path + ".zero_point", Fate::kTranslated, "symmetric");
  return v;
}

std::string scheme_name(const Value& scheme, const std::string& own, Value& schemes) {
  const Scheme made = parse_scheme(own, scheme, own);
  for (const Scheme& known : built_in_schemes())
    if (known.weights == made.weights && known.activations == made.activations) return known.name;
  schemes.at_or_add(own) = scheme;
  return own;
}

Value one(const std::string& name, Value options) {
  Value v = Value::map();
  v.at_or_add(name) = std::move(options);
  return v;
}

void read_smoothing(Leaves& leaves, Value& method) {
  const std::string path = "quant.smooth.proj.";
  const bool on =
      leaves.boolean("quant.enable_smooth", false) && leaves.boolean("quant.smooth.enable_proj", false);
  for (const char* key : {"quant.enable_smooth", "quant.smooth.enable_proj"})
    leaves.note(key, Fate::kTranslated, on ? "transform: smooth" : "transform: none");
  if (!on) {
    leaves.note_all(path + "*", Fate::kNoEffect, "smoothing is off");
    return;
  }
  const double alpha = leaves.number(path + "alpha", 0.5), beta = leaves.number(path + "beta", -1);
  Value options = Value::map();
  if (leaves.text(path + "strategy", "Manual") == "GridSearch") {
    options.at_or_add("grid") = Value::integer(leaves.integer(path + "num_grids", 20));
    leaves.note(path + "num_grids", Fate::kTranslated, "transform.smooth.grid");
    leaves.note(path + "alpha", Fate::kNoEffect, "the grid has every exponent");
    leaves.note(path + "beta", beta == -2 ? Fate::kTranslated : Fate::kNoCounterpart,
                beta == -2 ? "the grid's (i/G, 0) and (i/G, 1 - i/G)"
                           : "the grid here always has (i/G, 0) beside (i/G, 1 - i/G)");
  } else {
    options.at_or_add("alpha") = Value::number(alpha);
    options.at_or_add("beta") = Value::number(beta < 0 ? 1 - alpha : beta);
    leaves.note(path + "alpha", Fate::kTranslated, "transform.smooth.alpha");
    leaves.note(path + "beta", Fate::kTranslated, "transform.smooth.beta");
    leaves.note(path + "num_grids", Fate::kNoEffect, "one candidate");
  }
  method.at_or_add("transform") = one("smooth", options);
  leaves.note(path + "strategy", Fate::kTranslated, "the smoothing's options");
  const Value* spans = leaves.find(path + "spans");
  const bool absmax = !spans || spans->canonical_json() == R"([["AbsMax","AbsMax"]])";
  leaves.note(path + "spans", absmax ? Fate::kTranslated : Fate::kNoCounterpart,
              "spans here are the largest magnitudes");
  leaves.note(path + "allow_low_rank",
              leaves.boolean(path + "allow_low_rank", false) ? Fate::kTranslated : Fate::kNoCounterpart,
              "candidates here always go through the low-rank branch and the quantizers");
  leaves.note(path + "fuse_when_possible", Fate::kNoEffect, "the division is kept explicit");
  for (const char* key : {"objective", "degree", "granularity"})
    leaves.note(path + key, Fate::kNoEffect,
                "candidates are scored by the squared error of the linears' outputs");
}

void read_low_rank(Leaves& leaves, Value& method) {
  const std::string path = "quant.wgts.low_rank.";
  const bool on =
      leaves.boolean("quant.wgts.enable_low_rank", false) && leaves.integer(path + "rank", 32) != 0;
  leaves.note("quant.wgts.enable_low_rank", Fate::kTranslated, on ? "driver: svdquant" : "driver: quantize");
  if (!on) {
    leaves.note_all(path + "*", Fate::kNoEffect, "the low-rank branch is off");
    return;
  }
  const int64_t rank = leaves.integer(path + "rank", 32);
  SVDLAB_REQUIRE(rank > 0, Errc::kConfig, leaves.where(path + "rank"), ": `", path, "rank` is ", rank,
                 "; a full branch has no counterpart, give its rank");
  Value low_rank = Value::map(), options = Value::map();
  low_rank.at_or_add("rank") = Value::integer(rank);
  low_rank.at_or_add("solver") = Value::text("randomized");
  method.at_or_add("low_rank") = low_rank;
  leaves.note(path + "rank", Fate::kTranslated, "low_rank.rank");
  const bool compensate = leaves.boolean(path + "compensate", false);
  leaves.note(path + "compensate", Fate::kTranslated, compensate ? "driver: lorc" : "driver: svdquant");
  if (!compensate) {
    options.at_or_add("iterations") = Value::integer(leaves.integer(path + "num_iters", 1));
    options.at_or_add("early_stop") = Value::boolean(leaves.boolean(path + "early_stop", false));
    leaves.note(path + "num_iters", Fate::kTranslated, "driver.svdquant.iterations");
    leaves.note(path + "early_stop", Fate::kTranslated, "driver.svdquant.early_stop");
  }
  method.at_or_add("driver") = one(compensate ? "lorc" : "svdquant", options);
  leaves.note(path + "exclusive",
              leaves.boolean(path + "exclusive", false) ? Fate::kNoCounterpart : Fate::kTranslated,
              "linears of one input share the down factor");
  for (const char* key : {"objective", "degree"})
    leaves.note(path + key, Fate::kNoEffect, "rounds are compared by the squared error of the outputs");
}

void read_weights(Leaves& leaves, Value& method) {
  const std::string path = "quant.wgts.kernel_gptq.";
  const bool gptq = leaves.boolean("quant.wgts.enable_kernel_gptq", false);
  leaves.note("quant.wgts.enable_kernel_gptq", Fate::kTranslated, gptq ? "weights: gptq" : "weights: rtn");
  if (!gptq) {
    leaves.note_all(path + "*", Fate::kNoEffect, "GPTQ is off");
    method.at_or_add("weights") = Value::text("rtn");
    return;
  }
  Value options = Value::map();
  options.at_or_add("damping") = Value::number(leaves.number(path + "damp_percentage", 0.01));
  options.at_or_add("block") = Value::integer(leaves.integer(path + "block_size", 128));
  method.at_or_add("weights") = one("gptq", options);
  leaves.note(path + "damp_percentage", Fate::kTranslated, "weights.gptq.damping");
  leaves.note(path + "block_size", Fate::kTranslated, "weights.gptq.block");
  leaves.note(path + "num_inv_tries", Fate::kNoEffect, "damping grows until the factor exists");
  leaves.note(path + "hessian_block_size", Fate::kNoEffect, "the Gram matrix comes from the statistics");
}

// DeepCompressor's kinds of layer that lie inside transformer blocks, by our names of them; every other kind
// (embed, resblock..., transformer_proj_in/out, down_sample, up_sample) lies outside and stays 16 bit.
const std::vector<std::pair<std::string, std::vector<std::string>>>& kinds_in_blocks() {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> kinds = {
      {"transformer_norm", {"*.norm1.linear", "*single_transformer_blocks.*.norm.linear"}},
      {"transformer_add_norm", {"*.norm1_context.linear"}},
      {"attn_add", {"*.attn2.to_k", "*.attn2.to_v", "*.attn.add_?_proj"}},
      {"ffn_add", {"*.ff_context.*"}},
  };
  return kinds;
}

constexpr const char* kKindsOutsideBlocks[] = {"embed",
                                               "resblock",
                                               "resblock_shortcut",
                                               "resblock_time_proj",
                                               "transformer_proj_in",
                                               "transformer_proj_out",
                                               "down_sample",
                                               "up_sample"};

bool is_known_kind(const std::string& kind) {
  for (const char* outside : kKindsOutsideBlocks)
    if (kind == outside) return true;
  for (const auto& [inside, patterns] : kinds_in_blocks())
    if (kind == inside) return true;
  return false;
}

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Value rule(const std::string& match, const std::string& scheme, const std::string& method, bool optional) {
  Value recipe = Value::map(), v = Value::map();
  recipe.at_or_add("scheme") = Value::text(scheme);
  if (!method.empty()) recipe.at_or_add("method") = Value::text(method);
  v.at_or_add("match") = Value::text(match);
  v.at_or_add("recipe") = recipe;
  if (optional) v.at_or_add("optional") = Value::boolean(true);
  return v;
}

// What lies in blocks and is not like the rest: 16 bit, or 4-bit weights under 16-bit inputs.
Value read_plan(Leaves& leaves, const std::string& weights_alone, const std::string& extra) {
  const auto weight_skips = leaves.names("quant.wgts.skips"), input_skips = leaves.names("quant.ipts.skips"),
             extra_kinds = leaves.names("quant.extra_wgts.includes");
  Value plan = Value::list();
  for (const auto& [kind, patterns] : kinds_in_blocks()) {
    std::string scheme;
    if (contains(weight_skips, kind))
      scheme = "bf16";
    else if (!extra.empty() && contains(extra_kinds, kind))
      scheme = extra;
    else if (contains(input_skips, kind))
      scheme = weights_alone;
    if (scheme.empty()) continue;
    for (const std::string& pattern : patterns)
      plan.items.push_back(rule(pattern, scheme, scheme == "bf16" ? "" : "rtn", true));
  }
  plan.items.push_back(rule("*transformer_blocks.*", "$scheme", "$method", false));
  plan.items.push_back(rule("*", "bf16", "", false));
  for (const char* key : {"quant.wgts.skips", "quant.ipts.skips", "quant.extra_wgts.includes"})
    for (const std::string& kind : leaves.names(key))
      if (!is_known_kind(kind))
        leaves.note(key, Fate::kNoCounterpart, "no names are known for the kind " + kind);
  for (const char* key : {"quant.wgts.skips", "quant.ipts.skips", "quant.extra_wgts.includes"})
    leaves.note(key, Fate::kTranslated,
                "plan: rules of names; what lies outside transformer blocks stays 16 bit");
  for (const char* key : {"quant.smooth.proj.skips", "quant.wgts.low_rank.skips"}) {
    std::vector<std::string> lost;
    for (const std::string& kind : leaves.names(key))
      for (const auto& [known, patterns] : kinds_in_blocks())
        if (kind == known && !contains(weight_skips, kind) && !contains(input_skips, kind) &&
            !contains(extra_kinds, kind))
          lost.push_back(kind);
    leaves.note(key, lost.empty() ? Fate::kTranslated : Fate::kNoCounterpart,
                lost.empty() ? "those layers have no smoothing and no branch"
                             : "layers with quantized inputs follow the method: " + lost.front());
  }
  return plan;
}

// What says nothing about the artefact, or says it in another place.
void note_the_rest(Leaves& leaves) {
  const auto elsewhere = [&](const char* pattern, const char* text) {
    leaves.note_all(pattern, Fate::kElsewhere, text);
  };
  const auto no_effect = [&](const char* pattern, const char* text) {
    leaves.note_all(pattern, Fate::kNoEffect, text);
  };
  elsewhere("quant.calib.num_samples", "svdlab calibrate --pairs");
  elsewhere("quant.calib.*", "svdlab calibrate, or experiments/capture.py where the pipeline runs");
  elsewhere("seed", "svdlab calibrate --seed");
  elsewhere("pipeline.lora.*", "svdlab quantize --lora FILE:strength");
  elsewhere("pipeline.name", "the model folder");
  elsewhere("pipeline.path", "the model folder");
  no_effect("pipeline.dtype", "weights are read in the checkpoint's own type");
  no_effect("pipeline.device", "quantization runs on the CPU");
  elsewhere("eval.*", "a study's protocol and svdlab eval");
  elsewhere("output.*", "--out");
  elsewhere("save_model*", "--out");
  no_effect("enable_cache", "finished units are never done again");
  no_effect("cache.*", "finished units are never done again");
  no_effect("quant.develop_dtype", "fp32");
  for (const char* key : {"*.sample_batch_size", "*.element_batch_size", "*.sample_size", "*.element_size",
                          "*.outputs_device", "*.pre_reshape"})
    no_effect(key, "candidates are scored from statistics, not by replays in batches");
  leaves.note_all("quant.smooth.attn.*", Fate::kNoCounterpart, "queries and keys are not smoothed here");
  leaves.note("quant.smooth.enable_attn",
              leaves.boolean("quant.smooth.enable_attn", false) ? Fate::kNoCounterpart : Fate::kNoEffect,
              "queries and keys are not smoothed here");
  leaves.note("quant.enable_rotation",
              leaves.boolean("quant.enable_rotation", false) ? Fate::kNoCounterpart : Fate::kNoEffect,
              "choose a rotating transform instead");
  for (const std::string& path :
       {std::string("quant.wgts."), std::string("quant.ipts."), std::string("quant.opts.")}) {
    const bool searched = leaves.boolean(path + "enable_calib_range", true) &&
                          leaves.text(path + "calib_range.strategy", "Manual") == "GridSearch";
    leaves.note(path + "enable_calib_range", searched ? Fate::kNoCounterpart : Fate::kNoEffect,
                searched ? "see weights: scale-search" : "ranges are the largest magnitudes");
    leaves.note_all(path + "calib_range.*", searched ? Fate::kNoCounterpart : Fate::kNoEffect,
                    searched ? "see weights: scale-search" : "ranges are the largest magnitudes");
  }
}

const char* title(Fate fate) {
  switch (fate) {
    case Fate::kTranslated:
      return "translated";
    case Fate::kElsewhere:
      return "said elsewhere";
    case Fate::kNoEffect:
      return "without effect here";
    case Fate::kNoCounterpart:
      break;
  }
  return "WITHOUT COUNTERPART";
}

}  // namespace

std::vector<std::string> ImportedConfig::of(ImportedKey::Fate fate) const {
  std::vector<std::string> out;
  for (const ImportedKey& k : keys)
    if (k.fate == fate) out.push_back(k.key);
  return out;
}

std::string ImportedConfig::text() const {
  std::string out;
  for (const Fate fate : {Fate::kNoCounterpart, Fate::kElsewhere, Fate::kNoEffect, Fate::kTranslated}) {
    if (of(fate).empty()) continue;
    out += concat("# ", title(fate), ":\n");
    for (const ImportedKey& k : keys)
      if (k.fate == fate)
        out += concat("#   ", on_one_line(k.key), ": ", on_one_line(k.value), "  ->  ", k.note, "\n");
  }
  return out + to_yaml(config);
}

ImportedConfig import_deepcompressor(const std::vector<std::string>& files) {
  SVDLAB_REQUIRE(!files.empty(), Errc::kConfig, "no DeepCompressor file given");
  Value root = Value::map();
  for (const std::string& file : files) root = merge(root, load_yaml(file));
  Leaves leaves(root);
  const std::optional<Value> weights = tensor_scheme(leaves, "quant.wgts");
  SVDLAB_REQUIRE(
      weights, Errc::kConfig, files.back(),
      ": `quant.wgts.dtype` is missing; give the file with the format, such as svdquant/int4.yaml, too");
  std::optional<Value> inputs = tensor_scheme(leaves, "quant.ipts");
  SVDLAB_REQUIRE(!leaves.boolean("quant.ipts.static", false), Errc::kConfig,
                 leaves.where("quant.ipts.static"),
                 ": `quant.ipts.static` has no counterpart: scales are taken from the tokens at hand");
  leaves.note("quant.ipts.static", Fate::kTranslated, "scales are dynamic");
  const bool shift = leaves.boolean("pipeline.shift_activations", false) &&
                     leaves.boolean("quant.ipts.allow_unsigned", false);
  for (const char* key : {"pipeline.shift_activations", "quant.ipts.allow_unsigned"})
    leaves.note(key, leaves.boolean(key, false) == shift ? Fate::kTranslated : Fate::kNoCounterpart,
                "activations.shift_after_gelu, which is both in one");
  ImportedConfig out;
  Value schemes = Value::map(), scheme = one("weights", *weights), method = Value::map();
  const std::string weights_alone = scheme_name(scheme, "imported-weights", schemes);
  if (inputs) {
    if (shift) inputs->at_or_add("shift_after_gelu") = Value::boolean(true);
    scheme.at_or_add("activations") = *inputs;
  }
  std::string extra;
  const bool has_extra = leaves.boolean("quant.enable_extra_wgts", false);
  if (const std::optional<Value> e = tensor_scheme(leaves, "quant.extra_wgts"); e && has_extra)
    extra = scheme_name(one("weights", *e), "imported-extra", schemes);
  leaves.note("quant.enable_extra_wgts", Fate::kTranslated, has_extra ? "plan: rules of names" : "none");
  read_smoothing(leaves, method);
  read_low_rank(leaves, method);
  read_weights(leaves, method);
  const Value plan = read_plan(leaves, weights_alone, extra);
  note_the_rest(leaves);
  out.config.at_or_add("description") = Value::text("imported from DeepCompressor");
  out.config.at_or_add("scheme") = Value::text(scheme_name(scheme, "imported", schemes));
  out.config.at_or_add("method") = Value::text("imported");
  if (!schemes.members.empty()) out.config.at_or_add("schemes") = schemes;
  out.config.at_or_add("methods") = one("imported", method);
  out.config.at_or_add("plan") = plan;
  out.keys = leaves.take();
  return out;
}

}  // namespace svdlab
