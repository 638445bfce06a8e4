#include "core/io/attach_lora.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/compressed_file.h"
#include "core/io/lora_targets.h"
#include "core/io/new_folder.h"

namespace svdlab {
namespace {

// A copy of the folder with these adapters; `add` writes the files of new ones.
void write_copy(const CompressedFolder& folder, const std::vector<StoredAdapter>& kept,
                const std::function<std::vector<StoredAdapter>(const NewFolder&)>& add,
                const std::string& out) {
  const NewFolder copy(out);
  const auto link = [&](const std::string& file) {
    link_or_copy(folder.path() + "/" + file, copy.file(file));
  };
  for (size_t unit = 0; unit < folder.units(); ++unit)
    link(compressed_file_name(folder.unit_names(unit).front()));
  for (const StoredAdapter& adapter : kept) link(adapter.file());
  write_adapter_index(folder.path(), add(copy), copy.temporary());
  copy.commit();
}

std::vector<std::string> adapter_names(const CompressedFolder& folder) {
  std::vector<std::string> out;
  for (const StoredAdapter& adapter : folder.adapters()) out.push_back(adapter.name);
  return out;
}

std::vector<LinearShape> shapes_of(const CompressedFolder& folder) {
  std::vector<LinearShape> out;
  for (const std::string& name : folder.names())
    out.push_back({name, folder.linear(name).out_features, folder.linear(name).in_features});
  return out;
}

// Which linears an adapter can join is known when it is tried.
void try_append(const CompressedFolder& folder, const LoraDeltas& deltas) {
  for (size_t unit = 0; unit < folder.units(); ++unit) {
    const auto& names = folder.unit_names(unit);
    if (std::none_of(names.begin(), names.end(), [&](const auto& name) { return deltas.count(name) > 0; }))
      continue;
    std::vector<CompressedLinear> linears = folder.load_unit(unit);
    append_lora(linears, deltas);
  }
}

}  // namespace

AttachedLora attach_lora(const std::string& folder, const LoraFile& lora, const AttachOptions& options,
                         const std::string& out) {
  SVDLAB_REQUIRE(std::isfinite(options.strength), Errc::kConfig, "an adapter's strength must be finite");
  const CompressedFolder base(folder);
  StoredAdapter adapter{.name = lora.name, .sha256 = lora.sha256, .strength = options.strength};
  const std::vector<std::string> attached = adapter_names(base);
  SVDLAB_REQUIRE(std::find(attached.begin(), attached.end(), lora.name) == attached.end(), Errc::kConfig,
                 folder, ": adapter ", printable(lora.name), " is attached already; detach it first");
  const MatchedLora matched = match_lora(lora, shapes_of(base), options.strength);
  SVDLAB_REQUIRE(!matched.deltas.empty(), Errc::kInput, lora.path, ": none of its ", lora.modules.size(),
                 " modules is a linear of ", folder, "; the first is ", printable(lora.modules.front().name));
  SVDLAB_REQUIRE(
      options.partial || matched.unmatched.empty(), Errc::kConfig, lora.path, ": ", matched.unmatched.size(),
      " of ", lora.modules.size(), " modules are no quantized linears of ", folder, ", the first is ",
      printable(matched.unmatched.front()),
      ": leave them out with --partial, or merge the adapter into the checkpoint (svdlab lora merge)");
  try_append(base, matched.deltas);
  write_copy(
      base, base.adapters(),
      [&](const NewFolder& copy) {
        write_adapter(copy.temporary(), base.header().fingerprint, matched.deltas, adapter);
        std::vector<StoredAdapter> all = base.adapters();
        all.push_back(adapter);
        return all;
      },
      out);
  AttachedLora result{.left_out = matched.unmatched};
  for (const StoredAdapter::Item& item : adapter.items) {
    result.linears.push_back(item.linear);
    result.rank = std::max(result.rank, item.rank);
  }
  return result;
}

void detach_lora(const std::string& folder, const std::string& name, const std::string& out) {
  const CompressedFolder attached(folder);
  const std::vector<std::string> names = adapter_names(attached);
  SVDLAB_REQUIRE(!names.empty(), Errc::kConfig, folder, ": no adapter is attached");
  SVDLAB_REQUIRE(std::find(names.begin(), names.end(), name) != names.end(), Errc::kConfig, folder,
                 ": no adapter ", printable(name), " is attached; nearest: ", nearest(name, names));
  std::vector<StoredAdapter> kept = attached.adapters();
  std::erase_if(kept, [&](const StoredAdapter& adapter) { return adapter.name == name; });
  write_copy(
      attached, kept, [&](const NewFolder&) { return kept; }, out);
}

}  // namespace svdlab
