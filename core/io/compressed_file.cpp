#include "core/io/compressed_file.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/files.h"
#include "core/io/yaml.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "svdlab-compressed";
constexpr const char* kSuffix = ".safetensors";
constexpr uint64_t kMaxIndex = 100'000'000;

std::string join(const std::string& folder, const std::string& file) {
  return (fs::path(folder) / file).string();
}

// What another program wrote is input; to the readers of configurations everything wrong is configuration.
template <class Read>
auto as_input(const Read& read) {
  try {
    return read();
  } catch (const Error& e) {
    throw Error(e.code() == Errc::kConfig ? Errc::kInput : e.code(), e.what());
  }
}

std::string metadata_of(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  SVDLAB_REQUIRE(found != file.metadata().end(), Errc::kInput, file.path(), ": no metadata \"", key,
                 "\": not a file of a compressed model");
  return found->second;
}

void require_fingerprint(const SafetensorsFile& file, const std::string& fingerprint, Errc code) {
  const std::string stored = metadata_of(file, "fingerprint");
  SVDLAB_REQUIRE(stored == fingerprint, code, file.path(), ": made with fingerprint ", printable(stored),
                 ", this one is ", printable(fingerprint), "; use another folder");
}

/// The description in the file's own metadata, every tensor of which is there and none more.
Value checked_description(const SafetensorsFile& file) {
  return as_input([&] {
    const Value list = parse_yaml(metadata_of(file, "linears"), file.path() + " linears");
    std::set<std::string> needed;
    for (const Value& item : list.items)
      for (const std::string& tensor : StoredLinear(item).tensors()) needed.insert(tensor);
    for (const std::string& tensor : needed)
      SVDLAB_REQUIRE(file.entries().count(tensor), Errc::kInput, file.path(), ": no tensor ",
                     printable(tensor));
    for (const auto& [tensor, entry] : file.entries())
      SVDLAB_REQUIRE(needed.count(tensor), Errc::kInput, file.path(), ": tensor ", printable(tensor),
                     " belongs to no linear");
    return list;
  });
}

Value header_value(const CompressedHeader& header) {
  Value model = Value::map();
  model.at_or_add("class") = Value::text(header.model_class);
  model.at_or_add("hash") = Value::text(header.model_hash);
  Value v = Value::map();
  v.at_or_add("format") = Value::text(kFormat);
  v.at_or_add("schema") = Value::integer(kCompressedSchema);
  v.at_or_add("fingerprint") = Value::text(header.fingerprint);
  v.at_or_add("model") = model;
  v.at_or_add("statistics") = Value::text(header.statistics_hash);
  v.at_or_add("config") = header.config;
  return v;
}

std::string pretty(const Value& value) {
  return nlohmann::json::parse(value.canonical_json()).dump(1) + "\n";
}

Value load_index(const std::string& path) {
  std::error_code failure;
  const uint64_t bytes = fs::file_size(path, failure);
  SVDLAB_REQUIRE(!failure, Errc::kInput, path, ": ", failure.message(),
                 "; not a compressed model, or not a finished one");
  SVDLAB_REQUIRE(bytes <= kMaxIndex, Errc::kInput, path, ": ", bytes, " bytes; an index has at most ",
                 kMaxIndex);
  return load_yaml(path);
}

CompressedHeader read_header(Fields& f) {
  const std::string format = f.required_text("format");
  SVDLAB_REQUIRE(format == kFormat, Errc::kInput, f.where(), ": format is ", printable(format), ", must be ",
                 kFormat);
  const int64_t schema = f.integer("schema", 0);
  SVDLAB_REQUIRE(schema == kCompressedSchema, Errc::kInput, f.where(), ": schema ", schema,
                 "; this program reads ", kCompressedSchema);
  CompressedHeader header;
  header.fingerprint = f.required_text("fingerprint");
  const Value* model = f.child("model");
  SVDLAB_REQUIRE(model, Errc::kInput, f.where(), ": `model` is missing");
  Fields m(*model, "model");
  header.model_class = m.required_text("class");
  header.model_hash = m.required_text("hash");
  m.finish();
  header.statistics_hash = f.required_text("statistics");
  if (const Value* config = f.child("config")) header.config = *config;
  header.has_adapters = f.has("adapters");
  return header;
}

}  // namespace

std::optional<CompressedHeader> compressed_header(const std::string& folder) {
  for (const char* name : {kCompressedIndex, kCompressedStart})
    if (fs::exists(join(folder, name)))
      return as_input([&] {
        const Value index = load_index(join(folder, name));
        Fields f(index, "");
        return read_header(f);
      });
  return {};
}

void begin_compressed(const std::string& folder, const CompressedHeader& header) {
  write_file(join(folder, kCompressedStart), pretty(header_value(header)));
}

std::string compressed_file_name(const std::string& first_linear) {
  const bool plain =
      !first_linear.empty() && first_linear.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
  SVDLAB_REQUIRE(plain && first_linear.size() + std::string(kSuffix).size() <= 255, Errc::kInput, "linear ",
                 printable(first_linear), ": no name for a file");
  return first_linear + kSuffix;
}

std::string write_compressed_group(const std::string& folder, const CompressedUnit& unit,
                                   const std::string& fingerprint) {
  SVDLAB_REQUIRE(!unit.empty(), Errc::kUnexpected, "a unit without linears cannot be written");
  const std::string name = compressed_file_name(unit.front().linear.name);
  const StoredUnit stored = store_unit(unit);
  save_safetensors(join(folder, name), stored.tensors,
                   {{"schema", std::to_string(kCompressedSchema)},
                    {"fingerprint", fingerprint},
                    {"linears", stored.description.canonical_json()}});
  return name;
}

bool has_compressed_group(const std::string& folder, const std::string& file,
                          const std::string& fingerprint) {
  std::error_code ignored;
  if (!fs::exists(join(folder, file), ignored)) return false;
  const SafetensorsFile stored(join(folder, file));
  require_fingerprint(stored, fingerprint, Errc::kConfig);
  checked_description(stored);
  return true;
}

void write_compressed_index(const std::string& folder, const CompressedHeader& header,
                            const std::vector<std::string>& files) {
  Value index = header_value(header), list = Value::list();
  for (const std::string& name : files) {
    const SafetensorsFile file(join(folder, name));
    require_fingerprint(file, header.fingerprint, Errc::kInput);
    Value v = Value::map();
    v.at_or_add("file") = Value::text(name);
    v.at_or_add("linears") = checked_description(file);
    list.items.push_back(v);
  }
  index.at_or_add("files") = list;
  write_file(join(folder, kCompressedIndex), pretty(index));
  fs::remove(join(folder, kCompressedStart));
}

void write_adapter_index(const std::string& from, const std::vector<StoredAdapter>& adapters,
                         const std::string& to) {
  Value index = load_index(join(from, kCompressedIndex)), list = Value::list();
  for (const StoredAdapter& adapter : adapters) list.items.push_back(adapter_value(adapter));
  std::erase_if(index.members, [](const Value::Member& m) { return m.first == "adapters"; });
  if (!adapters.empty()) index.at_or_add("adapters") = list;
  write_file(join(to, kCompressedIndex), pretty(index));
}

CompressedFolder::CompressedFolder(const std::string& folder) : path_(folder) {
  as_input([&] {
    read_index(load_index(join(folder, kCompressedIndex)));
    return 0;
  });
}

void CompressedFolder::read_index(const Value& index) {
  Fields f(index, "");
  header_ = read_header(f);
  const Value* files = f.child("files");
  SVDLAB_REQUIRE(files && files->kind == Value::Kind::kList, Errc::kInput, f.where(),
                 ": `files` must be a list");
  const Value* adapters = f.child("adapters");
  f.finish();
  std::set<std::string> names;
  for (size_t i = 0; i < files->items.size(); ++i) {
    add_unit(files->items[i], concat("files.", i));
    SVDLAB_REQUIRE(names.insert(units_.back().file).second, Errc::kInput, files->items[i].where, ": file ",
                   printable(units_.back().file), " is listed twice");
  }
  if (!adapters) return;
  SVDLAB_REQUIRE(adapters->kind == Value::Kind::kList, Errc::kInput, f.where(),
                 ": `adapters` must be a list");
  for (size_t i = 0; i < adapters->items.size(); ++i) add_adapter(adapters->items[i], concat("adapters.", i));
}

void CompressedFolder::add_adapter(const Value& value, const std::string& key) {
  StoredAdapter adapter = read_adapter(value, key);
  for (const StoredAdapter& other : adapters_)
    SVDLAB_REQUIRE(adapter.name != other.name, Errc::kInput, value.where, ": adapter ",
                   printable(adapter.name), " is listed twice");
  for (const StoredAdapter::Item& item : adapter.items) linear(item.linear);
  adapters_.push_back(std::move(adapter));
}

void CompressedFolder::add_unit(const Value& value, const std::string& key) {
  Fields f(value, key);
  Unit unit{.file = f.required_text("file")};
  const Value* list = f.child("linears");
  f.finish();
  SVDLAB_REQUIRE(list && !list->items.empty(), Errc::kInput, f.where(), ": `", key, "` has no linears");
  for (const Value& item : list->items) {
    StoredLinear linear(item);
    SVDLAB_REQUIRE(!linears_.count(linear.name), Errc::kInput, item.where, ": linear ",
                   printable(linear.name), " is listed twice");
    unit.names.push_back(linear.name);
    names_.push_back(linear.name);
    linears_.emplace(names_.back(), std::pair(units_.size(), std::move(linear)));
  }
  // Nothing but a name beside the index can pass.
  SVDLAB_REQUIRE(unit.file == compressed_file_name(unit.names.front()), Errc::kInput, f.where(), ": file ",
                 printable(unit.file), " must be called ", compressed_file_name(unit.names.front()));
  unit.description = list->canonical_json();
  units_.push_back(std::move(unit));
}

SafetensorsFile CompressedFolder::open(size_t unit) const {
  SafetensorsFile file(join(path_, units_.at(unit).file));
  require_fingerprint(file, header_.fingerprint, Errc::kInput);
  SVDLAB_REQUIRE(checked_description(file).canonical_json() == units_[unit].description, Errc::kInput,
                 file.path(), ": its linears are not those that ", kCompressedIndex, " lists");
  return file;
}

const StoredLinear& CompressedFolder::linear(const std::string& name) const {
  const auto found = linears_.find(name);
  SVDLAB_REQUIRE(found != linears_.end(), Errc::kConfig, path_, ": no compressed linear ", printable(name),
                 "; nearest: ", nearest(name, names_));
  return found->second.second;
}

LoraDeltas CompressedFolder::deltas_of(size_t unit) const {
  LoraDeltas out;
  for (const StoredAdapter& adapter : adapters_)
    load_adapter(path_, header_.fingerprint, adapter, units_[unit].names, out);
  return out;
}

CompressedLinear CompressedFolder::load(const std::string& name) const {
  const StoredLinear& stored = linear(name);
  const size_t unit = linears_.at(name).first;
  if (!deltas_of(unit).empty())  // an adapter of one linear may change what others of the unit share
    for (CompressedLinear& each : load_unit(unit))
      if (each.name == name) return std::move(each);
  std::map<std::string, Tensor> shared;
  return stored.load(open(unit), shared);
}

std::vector<CompressedLinear> CompressedFolder::load_unit(size_t unit) const {
  const SafetensorsFile file = open(unit);
  std::map<std::string, Tensor> shared;
  std::vector<CompressedLinear> out;
  for (const std::string& name : units_[unit].names) out.push_back(linear(name).load(file, shared));
  append_lora(out, deltas_of(unit));
  return out;
}

CompressedModel CompressedFolder::load_model() const {
  CompressedModel model;
  for (size_t unit = 0; unit < units(); ++unit)
    for (CompressedLinear& linear : load_unit(unit)) model.linears[linear.name] = std::move(linear);
  return model;
}

}  // namespace svdlab
