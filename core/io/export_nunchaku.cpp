#include "core/io/export_nunchaku.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/exported_tensor.h"
#include "core/io/nunchaku_flux.h"
#include "core/io/nunchaku_layout.h"
#include "core/io/nunchaku_tensors.h"

namespace svdlab {
namespace {

using Json = nlohmann::json;

const std::string& name_of(const NunchakuLinear& item, NunchakuNames names) {
  return names == NunchakuNames::kCurrent ? item.current : item.old;
}
const NunchakuKeys& keys_of(NunchakuNames names) {
  return names == NunchakuNames::kCurrent ? kNunchakuKeys : kNunchakuOldKeys;
}

std::vector<CompressedLinear> load_members(const ExportSource& source, const NunchakuLinear& item) {
  std::vector<CompressedLinear> out;
  for (const std::string& name : item.members) {
    SVDLAB_REQUIRE(source.names.count(name), Errc::kConfig, "linear ", name,
                   " is in 16 bit; Nunchaku's FLUX needs it as ", item.chunks > 0 ? "W4A16 int4" : "W4A4");
    out.push_back(source.load(name));
  }
  return out;
}

std::string quantization_config(NunchakuPrecision precision, int64_t rank) {
  const bool fp4 = precision == NunchakuPrecision::kNvfp4;
  const Json scale = fp4 ? Json("fp8_e4m3_nan") : Json(nullptr);
  const char* dtype = fp4 ? "fp4_e2m1_all" : "int4";
  const int group = fp4 ? 16 : 64;
  return Json{{"method", "svdquant"},
              {"weight",
               {{"dtype", dtype},
                {"scale_dtype", fp4 ? Json::array({nullptr, scale}) : scale},
                {"group_size", group}}},
              {"activation", {{"dtype", dtype}, {"scale_dtype", scale}, {"group_size", group}}},
              {"rank", rank}}
      .dump();
}

struct Exported {
  NunchakuPrecision precision = NunchakuPrecision::kInt4;
  int64_t rank = kNunchakuRank;
  std::set<std::string> linears;
};

// What the file will be; every linear is looked at before the first is packed.
Exported survey(const ExportSource& source, const std::vector<NunchakuLinear>& items) {
  Exported out;
  std::string first;
  for (const NunchakuLinear& item : items) {
    const std::vector<CompressedLinear> members = load_members(source, item);
    out.linears.insert(item.members.begin(), item.members.end());
    if (item.chunks > 0) continue;
    const NunchakuW4A4 module = nunchaku_w4a4(members, item.range);
    if (first.empty()) first = item.members[0], out.precision = module.precision;
    SVDLAB_REQUIRE(module.precision == out.precision, Errc::kConfig, "linear ", item.members[0], " is ",
                   to_string(module.precision), " and ", first, " ", to_string(out.precision),
                   "; a Nunchaku file has one precision");
    out.rank = std::max(out.rank, round_up(module.down.size(0), kNunchakuRank));
  }
  for (const std::string& name : source.names)
    SVDLAB_REQUIRE(out.linears.count(name), Errc::kConfig, "linear ", name,
                   " is compressed; Nunchaku's FLUX keeps it in 16 bit: give it scheme bf16");
  return out;
}

NunchakuNames names_in(const SafetensorsFile& file, const std::vector<NunchakuLinear>& items) {
  for (const NunchakuLinear& item : items)
    if (item.old != item.current && has_tensor(file, item.old + ".qweight")) return NunchakuNames::kOld;
  return NunchakuNames::kCurrent;
}

}  // namespace

void export_nunchaku(const std::string& path, const ExportSource& source, NunchakuNames names) {
  const std::vector<NunchakuLinear> items = nunchaku_flux_linears(*source.graph);
  const Exported exported = survey(source, items);
  std::vector<StWrite> tensors;
  for (const NunchakuLinear& item : items) {
    const std::vector<CompressedLinear> members = load_members(source, item);
    if (item.chunks > 0) {
      append_awq(name_of(item, names), members[0], item.chunks, tensors);
      continue;
    }
    NunchakuW4A4 module = nunchaku_w4a4(members, item.range);
    // The model's bias is in one of the two parts of proj_out; the loaders want one in both.
    const bool second_has_it = item.range.end < members[0].in_features();
    if (second_has_it || !module.bias.defined()) module.bias = at::zeros({module.rows()});
    append_w4a4(name_of(item, names), module, exported.rank, keys_of(names), tensors);
  }
  append_16bit(
      source, exported.linears,
      [&](const std::string& name) { return names == NunchakuNames::kOld ? nunchaku_old_name(name) : name; },
      tensors);
  const bool old = names == NunchakuNames::kOld;
  save_safetensors(
      path, tensors,
      {{"config", Json::parse(source.config_json).dump()},
       {"model_class", old ? "NunchakuFluxTransformer2dModel" : "NunchakuFluxTransformer2DModelV2"},
       {"quantization_config", quantization_config(exported.precision, exported.rank)}});
}

CompressedModel read_nunchaku(const std::string& path, const Graph& graph) {
  const SafetensorsFile file(path);
  const std::vector<NunchakuLinear> items = nunchaku_flux_linears(graph);
  const NunchakuNames names = names_in(file, items);
  CompressedModel out;
  const auto rows_of = [&](const std::string& name) {
    return graph.linears[graph.linear_index(name)].out_features();
  };
  for (const NunchakuLinear& item : items) {
    const std::string& prefix = name_of(item, names);
    if (item.chunks > 0) {
      const std::string& name = item.members[0];
      out.linears[name] = read_awq(file, prefix, name, rows_of(name), item.range.size(), item.chunks);
      continue;
    }
    int64_t rows = 0, begin = 0;
    for (const std::string& name : item.members) rows += rows_of(name);
    const NunchakuW4A4 module = read_w4a4(file, prefix, rows, item.range.size(), keys_of(names));
    for (const std::string& name : item.members) {
      const CompressedLinear part =
          linear_of(name, module, begin, begin + rows_of(name), item.range.producer);
      begin += rows_of(name);
      const auto left = out.linears.find(name);  // the other part of proj_out
      out.linears[name] = left == out.linears.end() ? part : joined_columns(left->second, part);
    }
  }
  return out;
}

}  // namespace svdlab
