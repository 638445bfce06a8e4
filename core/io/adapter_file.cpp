#include "core/io/adapter_file.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/base/error.h"
#include "core/io/compressed_file.h"
#include "core/io/safetensors.h"

namespace svdlab {
namespace {

constexpr int64_t kMaxRank = 1 << 20;

Value item_value(const StoredAdapter::Item& item) {
  Value v = Value::map();
  v.at_or_add("linear") = Value::text(item.linear);
  v.at_or_add("rank") = Value::integer(item.rank);
  v.at_or_add("scale") = Value::number(item.scale);
  v.at_or_add("down") = Value::text(item.down);
  v.at_or_add("up") = Value::text(item.up);
  return v;
}

double finite_number(Fields& f, const std::string& key) {
  const Value* v = f.child(key);
  SVDLAB_REQUIRE(v, Errc::kConfig, f.where(), ": `", f.path_of(key), "` is missing");
  const double number = v->as_number(f.path_of(key));
  SVDLAB_REQUIRE(std::isfinite(number), Errc::kConfig, f.where(), ": `", f.path_of(key), "` must be finite");
  return number;
}

StoredAdapter::Item read_item(const Value& value, const std::string& key) {
  Fields f(value, key);
  StoredAdapter::Item item{.linear = f.required_text("linear"),
                           .rank = f.integer("rank", 0),
                           .scale = finite_number(f, "scale"),
                           .down = f.required_text("down"),
                           .up = f.required_text("up")};
  f.finish();
  SVDLAB_REQUIRE(item.rank > 0 && item.rank <= kMaxRank, Errc::kConfig, f.where(), ": `", f.path_of("rank"),
                 "` must be in [1, ", kMaxRank, "], not ", item.rank);
  return item;
}

std::string metadata_of(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

Tensor factor(const SafetensorsFile& file, const std::string& name, int64_t rank, int rank_axis) {
  SVDLAB_REQUIRE(file.entries().count(name), Errc::kInput, file.path(), ": no tensor ", printable(name));
  const Tensor t = file.tensor(name);
  SVDLAB_REQUIRE(at::isFloatingType(t.scalar_type()) && t.dim() == 2 && t.size(rank_axis) == rank,
                 Errc::kInput, file.path(), ": tensor ", printable(name), " is ", t.sizes(),
                 ", not a factor of rank ", rank);
  return t;
}

}  // namespace

std::string StoredAdapter::file() const { return compressed_file_name("adapter." + name); }

Value adapter_value(const StoredAdapter& adapter) {
  Value list = Value::list(), v = Value::map();
  for (const StoredAdapter::Item& item : adapter.items) list.items.push_back(item_value(item));
  v.at_or_add("name") = Value::text(adapter.name);
  v.at_or_add("sha256") = Value::text(adapter.sha256);
  v.at_or_add("strength") = Value::number(adapter.strength);
  v.at_or_add("linears") = list;
  return v;
}

StoredAdapter read_adapter(const Value& value, const std::string& key) {
  Fields f(value, key);
  StoredAdapter out{.name = f.required_text("name"),
                    .sha256 = f.required_text("sha256"),
                    .strength = finite_number(f, "strength")};
  const Value* list = f.child("linears");
  f.finish();
  SVDLAB_REQUIRE(list && list->kind == Value::Kind::kList && !list->items.empty(), Errc::kConfig, f.where(),
                 ": `", f.path_of("linears"), "` must be a list of linears");
  std::set<std::string> names;
  for (const Value& item : list->items) {
    out.items.push_back(read_item(item, concat(f.path_of("linears"), ".", out.items.size())));
    SVDLAB_REQUIRE(names.insert(out.items.back().linear).second, Errc::kConfig, item.where, ": linear ",
                   printable(out.items.back().linear), " is listed twice");
  }
  out.file();
  return out;
}

void write_adapter(const std::string& folder, const std::string& fingerprint, const LoraDeltas& deltas,
                   StoredAdapter& adapter) {
  std::vector<StWrite> tensors;
  std::vector<std::pair<Tensor, std::string>> downs;
  for (const auto& [linear, list] : deltas) {
    const LoraDelta& d = list.front();
    SVDLAB_REQUIRE(list.size() == 1, Errc::kUnexpected, "linear ", linear, " has ", list.size(),
                   " deltas of one adapter");
    const auto known = std::find_if(downs.begin(), downs.end(),
                                    [&](const auto& entry) { return entry.first.is_same(d.down); });
    const std::string down = known == downs.end() ? linear + ".down" : known->second;
    if (known == downs.end()) {
      downs.emplace_back(d.down, down);
      tensors.push_back({.name = down, .tensor = d.down.contiguous()});
    }
    tensors.push_back({.name = linear + ".up", .tensor = d.up.contiguous()});
    adapter.items.push_back({linear, d.down.size(0), d.scale, down, linear + ".up"});
  }
  save_safetensors(folder + "/" + adapter.file(), tensors,
                   {{"schema", std::to_string(kCompressedSchema)},
                    {"fingerprint", fingerprint},
                    {"adapter", adapter_value(adapter).canonical_json()}});
}

void load_adapter(const std::string& folder, const std::string& fingerprint, const StoredAdapter& adapter,
                  const std::vector<std::string>& linears, LoraDeltas& deltas) {
  const auto wanted = [&](const StoredAdapter::Item& item) {
    return std::find(linears.begin(), linears.end(), item.linear) != linears.end();
  };
  if (std::none_of(adapter.items.begin(), adapter.items.end(), wanted)) return;
  const SafetensorsFile file(folder + "/" + adapter.file());
  SVDLAB_REQUIRE(metadata_of(file, "fingerprint") == fingerprint, Errc::kInput, file.path(),
                 ": made for fingerprint ", printable(metadata_of(file, "fingerprint")), ", this folder is ",
                 printable(fingerprint));
  SVDLAB_REQUIRE(metadata_of(file, "adapter") == adapter_value(adapter).canonical_json(), Errc::kInput,
                 file.path(), ": is not the adapter that ", kCompressedIndex, " lists");
  std::map<std::string, Tensor> downs;  // one object for all that share it
  for (const StoredAdapter::Item& item : adapter.items) {
    if (!wanted(item)) continue;
    Tensor& down = downs[item.down];
    if (!down.defined()) down = factor(file, item.down, item.rank, 0);
    deltas[item.linear].push_back({down, factor(file, item.up, item.rank, 1), item.scale});
  }
}

}  // namespace svdlab
