#include <functional>
#include <iostream>

#include "core/base/error.h"
#include "core/base/names.h"
#include "core/io/compressed_file.h"
#include "core/io/export_modelopt.h"
#include "core/io/export_nunchaku.h"
#include "core/io/export_nunchaku_lite.h"
#include "core/io/files.h"
#include "core/models/model.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

struct Format {
  std::string name;
  std::function<void(const std::string& out, const ExportSource&)> write;
};

const std::vector<Format>& formats() {
  static const std::vector<Format> table = {
      {"nunchaku", [](const auto& out, const auto& s) { export_nunchaku(out, s, NunchakuNames::kCurrent); }},
      {"nunchaku-flux", [](const auto& out, const auto& s) { export_nunchaku(out, s, NunchakuNames::kOld); }},
      {"nunchaku-lite", export_nunchaku_lite},
      {"modelopt", export_modelopt},
  };
  return table;
}

const Format& format_named(const std::string& name) {
  std::vector<std::string> names;
  for (const Format& f : formats()) {
    if (f.name == name) return f;
    names.push_back(f.name);
  }
  throw Error(Errc::kConfig, concat("--format ", name, ": unknown; nearest: ", nearest(name, names),
                                    " (nunchaku, nunchaku-flux, nunchaku-lite, modelopt)"));
}

// The folder's linears for `model`, read as they are asked for.
ExportSource source_of(const CompressedFolder& folder, const Model& model) {
  const CompressedHeader& header = folder.header();
  SVDLAB_REQUIRE(header.model_class == model.class_name && header.model_hash == model_hash(model.path),
                 Errc::kInput, folder.path(), ": was made from another ", header.model_class, " (SHA-256 ",
                 header.model_hash.substr(0, 12), " ...) than ", model.path,
                 "; give the checkpoint that was quantized");
  return {.graph = &model.graph,
          .class_name = model.class_name,
          .config_json = read_file(model.path + "/config.json"),
          .names = {folder.names().begin(), folder.names().end()},
          .load = [&folder](const std::string& name) { return folder.load(name); }};
}

}  // namespace

int export_command(const std::vector<std::string>& arguments) {
  Options options(
      "export FOLDER --format F --model MODEL --out FILE|FOLDER",
      "Packs what svdlab quantize made into a format of another program: nunchaku (one file, current\n"
      "names), nunchaku-flux (one file, older names), nunchaku-lite (a folder for diffusers), modelopt (a\n"
      "folder, NVFP4_SVD). Refuses, with the linear's name, what the format cannot hold.",
      "svdlab export flux-cifar-int4 --format nunchaku --model notebooks_data/models/flux-cifar\n"
      "         --out svdq-int4.safetensors");
  options.add()("format", po::value<std::string>(), "nunchaku, nunchaku-flux, nunchaku-lite or modelopt");
  options.add()("model", po::value<std::string>(), "the checkpoint that was quantized");
  options.add()("out", po::value<std::string>(), "file or folder to write");
  if (!options.parse(arguments)) return 0;
  for (const char* name : {"format", "model", "out"})
    SVDLAB_REQUIRE(options.has(name), Errc::kConfig, "--", name, " is missing; see svdlab export --help");
  const Format& format = format_named(options.get<std::string>("format"));
  const CompressedFolder folder(options.word("folder"));
  const Model model = load_model(options.get<std::string>("model"));
  const std::string out = options.get<std::string>("out");
  format.write(out, source_of(folder, model));
  std::cout << out << ": " << folder.names().size() << " linears as " << format.name << "\n";
  return 0;
}

}  // namespace svdlab
