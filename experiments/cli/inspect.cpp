#include <filesystem>
#include <iostream>
#include <set>

#include "core/base/error.h"
#include "core/io/compressed_file.h"
#include "core/io/export_source.h"
#include "core/io/safetensors.h"
#include "core/models/linear_model.h"
#include "experiments/cli/command.h"
#include "experiments/cli/inspect_compressed.h"
#include "experiments/cli/options.h"
#include "experiments/report/table_views.h"
#include "experiments/study/cell_file.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

void inspect_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  Table t{"tensors",
          {text_column("tensor"), text_column("dtype"), text_column("shape"), integer_column("bytes")}};
  int64_t bytes = 0;
  for (const auto& [name, entry] : file.entries()) {
    texts(t, "tensor").push_back(name);
    texts(t, "dtype").push_back(to_string(entry.dtype));
    texts(t, "shape").push_back(shape_text(entry.shape));
    integers(t, "bytes").push_back(static_cast<int64_t>(entry.bytes));
    bytes += static_cast<int64_t>(entry.bytes);
  }
  std::cout << report::to_terminal(t) << file.entries().size() << " tensors, " << bytes << " bytes\n";
  if (const std::string format = exported_format(file); !format.empty())
    std::cout << "format: " << format << "\n";
  for (const auto& [key, value] : file.metadata()) std::cout << "metadata " << key << ": " << value << "\n";
}

void inspect_results(const std::string& path) {
  const ResultFile results = load_results(path);
  std::cout << "config SHA-256  " << results.config_sha256 << "\nmodel SHA-256   " << results.model_sha256
            << "\nprovenance      " << results.provenance_json << "\n\n";
  for (const Table& t : results.tables) std::cout << t.name << ": " << t.rows() << " rows\n";
  const Table& cells = results.table("/cells");
  Table shown{"cells", {}};
  for (const char* name : {"cell", "status", "bits_per_weight", "output_sqnr_db", "psnr_db", "n", "message"})
    shown.columns.push_back(cells.column(name));
  std::cout << "\n" << report::to_terminal(shown);
}

std::string kind_of(const LinearSpec& linear) {
  return linear.block.empty() ? "outside blocks" : linear.block.substr(0, linear.block.find('.'));
}

void inspect_model(const std::string& folder) {
  const Model model = load_quantizable(folder);
  const Graph& graph = model.graph;
  std::set<std::string> blocks;
  std::map<std::pair<std::string, std::string>, std::pair<int64_t, int64_t>> by_kind;  // layers, weights
  for (const LinearSpec& linear : graph.linears) {
    blocks.insert(linear.block);
    auto& [layers, weights] = by_kind[{kind_of(linear), to_string(linear.role)}];
    ++layers, weights += linear.weight.numel();
  }
  blocks.erase("");
  std::cout << model.class_name << " (" << graph.architecture << "), " << graph.parameter_count()
            << " parameters, " << blocks.size() << " blocks, " << graph.linears.size() << " linears in "
            << graph.groups.size() << " groups, " << graph.nodes.size() << " nodes\nSHA-256 "
            << model_hash(folder) << "\n\n";
  Table roles{
      "roles",
      {text_column("block"), text_column("role"), integer_column("layers"), integer_column("weights")}};
  for (const auto& [key, count] : by_kind) {
    texts(roles, "block").push_back(key.first);
    texts(roles, "role").push_back(key.second);
    integers(roles, "layers").push_back(count.first);
    integers(roles, "weights").push_back(count.second);
  }
  std::cout << report::to_terminal(roles) << "\n";
  Table groups{"groups",
               {text_column("group"), integer_column("members"), integer_column("branches"),
                integer_column("channels"), text_column("smoothing tied to")}};
  for (const LayerGroup& group : graph.groups) {
    texts(groups, "group").push_back(group.name);
    integers(groups, "members").push_back(static_cast<int64_t>(group.members.size()));
    integers(groups, "branches").push_back(static_cast<int64_t>(group.branches.size()));
    integers(groups, "channels").push_back(graph.linears[group.members.front()].in_features());
    texts(groups, "smoothing tied to").push_back(group.smooth_tied_to);
  }
  std::cout << report::to_terminal(groups);
}

/// What experiments/capture.py reads: the model's hash and, for each group, its linears.
void print_groups(const std::string& folder) {
  const Model model = load_quantizable(folder);
  Value groups = Value::map();
  for (const LayerGroup& group : model.graph.groups) {
    Value& members = groups.at_or_add(group.name) = Value::list();
    for (const int linear : group.members)
      members.items.push_back(Value::text(model.graph.linears[linear].name));
  }
  Value out = Value::map();
  out.at_or_add("model_sha256") = Value::text(model_hash(folder));
  out.at_or_add("groups") = groups;
  std::cout << out.canonical_json() << "\n";
}

}  // namespace

int inspect_command(const std::vector<std::string>& arguments) {
  Options options("inspect FILE|FOLDER",
                  "Shows the tensors of a .safetensors file, the cells and tables of a results.h5 (or of a "
                  "run directory),\n"
                  "the layers and groups of a model folder, or the linears of a quantized one.",
                  "svdlab inspect notebooks_data/models/flux-cifar");
  options.add()("groups",
                "of a model folder: which linears share an input, as JSON for experiments/capture.py");
  if (!options.parse(arguments)) return 0;
  const fs::path path = options.word("file or folder");
  SVDLAB_REQUIRE(fs::exists(path), Errc::kInput, path.string(), ": does not exist");
  if (options.has("groups"))
    print_groups(path.string());
  else if (fs::is_directory(path) && fs::exists(path / "results.h5"))
    inspect_results((path / "results.h5").string());
  else if (compressed_header(path.string()))
    inspect_compressed(path.string());
  else if (fs::is_directory(path))
    inspect_model(path.string());
  else if (path.extension() == ".h5" || path.extension() == ".hdf5")
    inspect_results(path.string());
  else if (path.extension() == ".safetensors" || path.extension() == ".st")
    inspect_safetensors(path.string());
  else
    throw Error(
        Errc::kConfig,
        concat(path.string(), ": inspect reads .safetensors, .h5, model folders and run directories"));
  return 0;
}

}  // namespace svdlab
