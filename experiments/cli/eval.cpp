#include <cmath>
#include <iostream>
#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/value.h"
#include "core/io/files.h"
#include "eval/folder_metrics.h"
#include "experiments/cli/command.h"
#include "experiments/cli/eval_commands.h"
#include "experiments/cli/options.h"
#include "experiments/report/table_views.h"
#include "experiments/study/build_info.h"
#include "experiments/study/table_rows.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

// value, lo, hi with the decimals they need together: metrics of other sizes stand in the rows beside.
std::vector<std::string> shown(const Interval& i) {
  return report::display_cells({"", "", std::vector<double>{i.value, i.lo, i.hi}});
}

Table table_of(const FolderMetrics& metrics) {
  Table t{"metrics",
          {text_column("metric"), text_column("value"), text_column("unit"), text_column("95 % interval"),
           integer_column("n"), text_column("implementation")}};
  for (const Measured& m : metrics.values) {
    const std::vector<std::string> cells = shown(m.interval);
    texts(t, "metric").push_back(m.metric);
    texts(t, "value").push_back(cells[0]);
    texts(t, "unit").push_back(m.unit);
    texts(t, "95 % interval")
        .push_back(std::isnan(m.interval.lo) ? "" : "[" + cells[1] + ", " + cells[2] + "]");
    integers(t, "n").push_back(m.interval.n);
    texts(t, "implementation").push_back(m.implementation);
  }
  return t;
}

// JSON has no infinity: "inf", "-inf" as text, null for what is not known.
Value json_number(double v) {
  if (std::isnan(v)) return Value();
  return std::isinf(v) ? Value::text(v > 0 ? "inf" : "-inf") : Value::number(v);
}

Value json_texts(const std::vector<std::string>& lines) {
  Value out = Value::list();
  for (const std::string& line : lines) out.items.push_back(Value::text(line));
  return out;
}

Value json_weights(const std::string& file, const std::string& network) {
  Value out = Value::map();
  out.at_or_add("file") = Value::text(file);
  out.at_or_add("network") = Value::text(network);
  out.at_or_add("sha256") = Value::text(sha256_file(file));
  return out;
}

Value json_of(const PicturePairs& pairs, const FolderMetrics& metrics) {
  Value out = Value::map();
  out.at_or_add("reference") = Value::text(pairs.reference);
  out.at_or_add("generated") = Value::text(pairs.candidate);
  out.at_or_add("n") = Value::integer(static_cast<int64_t>(pairs.names.size()));
  out.at_or_add("left_out") = json_texts(pairs.left_out);
  out.at_or_add("notes") = json_texts(metrics.notes);
  out.at_or_add("svdlab") = Value::text(build_info().version + " " + build_info().commit);
  Value& rows = out.at_or_add("metrics") = Value::list();
  for (const Measured& m : metrics.values) {
    Value row = Value::map();
    row.at_or_add("metric") = Value::text(m.metric);
    row.at_or_add("unit") = Value::text(m.unit);
    row.at_or_add("value") = json_number(m.interval.value);
    row.at_or_add("lo") = json_number(m.interval.lo);
    row.at_or_add("hi") = json_number(m.interval.hi);
    row.at_or_add("n") = Value::integer(m.interval.n);
    row.at_or_add("implementation") = Value::text(m.implementation);
    rows.items.push_back(row);
  }
  return out;
}

void print_table(const PicturePairs& pairs, const FolderMetrics& metrics) {
  std::cout << pairs.names.size() << " pairs of " << pairs.reference << " and " << pairs.candidate;
  if (!pairs.left_out.empty())
    std::cout << ", " << pairs.left_out.size() << " pictures without partner left out";
  std::cout << "\n" << report::to_terminal(table_of(metrics));
  for (const std::string& note : metrics.notes) std::cout << note << "\n";
}

std::string required(const Options& options, const std::string& name) {
  SVDLAB_REQUIRE(options.has(name), Errc::kConfig, "--", name,
                 " names a folder of pictures; see svdlab eval --help");
  return options.get<std::string>(name);
}

std::string file_of(const Options& options, const std::string& name) {
  return options.has(name) ? options.get<std::string>(name) : "";
}

}  // namespace

int eval_command(const std::vector<std::string>& arguments) {
  Options options(
      "eval --ref DIR --gen DIR",
      "Measures pictures against those of the same names in another folder. grid.png is left out.",
      "svdlab eval --ref pictures-bf16 --gen pictures-int4 --features resnet20.safetensors");
  options.add()("ref", po::value<std::string>(), "folder with the reference pictures, <item>.png");
  options.add()("gen", po::value<std::string>(), "folder with the pictures to judge, of the same names");
  options.add()("features", po::value<std::string>(),
                "safetensors of a resnet20 (CIFAR) or squeezenet 1.1: adds frechet, kid, precision, recall; "
                "resnet20 also class_agreement");
  options.add()("lpips", po::value<std::string>(),
                "safetensors of squeezenet 1.1 with the LPIPS heads: adds lpips");
  options.add()("allow-missing", "leave out pictures that only one folder has");
  options.add()("json", "one JSON document on stdout in place of the table");
  options.add()("emit-commands", "measure nothing; print the commands of other programs for these folders");
  options.add()("threads", po::value<int64_t>()->default_value(0), "worker threads, 0: all cores");
  if (!options.parse(arguments)) return 0;
  SVDLAB_REQUIRE(options.words().empty(), Errc::kConfig, "unexpected ", options.words().front(),
                 "; usage: svdlab eval --ref DIR --gen DIR");
  SVDLAB_REQUIRE(!(options.has("json") && options.has("emit-commands")), Errc::kConfig,
                 "--json and --emit-commands exclude each other");
  const PicturePairs pairs =
      pair_pictures(required(options, "ref"), required(options, "gen"), options.has("allow-missing"));
  if (options.has("emit-commands")) return std::cout << other_programs(pairs), 0;
  const std::string features = file_of(options, "features"), heads = file_of(options, "lpips");
  const auto network = features.empty() ? nullptr : load_feature_network(features);
  const auto lpips = heads.empty() ? nullptr : std::make_unique<LpipsSqueeze>(heads);
  const FolderMetrics metrics =
      measure_folders(pairs, {network.get(), lpips.get(), thread_count(options.get<int64_t>("threads"))});
  if (!options.has("json")) return print_table(pairs, metrics), 0;
  Value document = json_of(pairs, metrics);
  if (network) document.at_or_add("features") = json_weights(features, network->name());
  if (lpips) document.at_or_add("lpips") = json_weights(heads, lpips->name());
  std::cout << document.canonical_json() << "\n";
  return 0;
}

}  // namespace svdlab
