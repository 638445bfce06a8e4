#include "core/io/attach_lora.h"
#include "core/io/merge_lora.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"

#include <filesystem>
#include <iostream>

#include "core/base/error.h"
#include "core/base/names.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

void print_left_out(const std::vector<std::string>& modules, const std::string& what) {
  for (const std::string& module : modules) std::cout << "left out (" << what << "): " << module << "\n";
}

// Tensors of text encoders and learned tokens can be many; their number says enough.
void print_other_parts(const LoraFile& lora) {
  if (lora.left_out.empty()) return;
  std::cout << "left out: " << lora.left_out.size() << " tensors of text encoders and tokens, the first is "
            << lora.left_out.front() << "\n";
}

void attach(const std::string& model, const std::string& adapter, const Options& options,
            const std::string& out) {
  const LoraFile lora = load_lora(adapter);
  const AttachOptions how{.strength = options.get<double>("scale"), .partial = options.has("partial")};
  const AttachedLora done = attach_lora(model, lora, how, out);
  print_left_out(done.left_out, "no quantized linear");
  print_other_parts(lora);
  std::cout << out << ": " << lora.name << " on " << done.linears.size() << " linears, rank up to "
            << done.rank << ", strength " << how.strength << "\n";
}

void merge(const std::string& model, const std::string& adapter, const Options& options,
           const std::string& out) {
  const LoraFile lora = load_lora(adapter);
  const MergedLora done = merge_lora(model, lora, options.get<double>("scale"), options.has("partial"), out);
  print_left_out(done.left_out, "no linear of the checkpoint");
  print_other_parts(lora);
  std::cout << out << ": " << lora.name << " merged into " << done.weights.size() << " weights\n";
}

// A path of the adapter's file, or its name.
void detach(const std::string& model, const std::string& adapter, const std::string& out) {
  const std::filesystem::path path(adapter);
  const std::string name =
      path.extension() == ".safetensors" ? path.stem().string() : path.filename().string();
  detach_lora(model, name, out);
  std::cout << out << ": " << model << " without " << name << "\n";
}

}  // namespace

int lora_command(const std::vector<std::string>& arguments) {
  Options options(
      "lora attach|detach|merge MODEL ADAPTER --out DIR",
      "attach: a LoRA onto the low-rank branches of what svdlab quantize made, without quantizing\n"
      "again; detach: off again, every byte as it was; merge: into the weights of a 16-bit\n"
      "checkpoint. ADAPTER is a .safetensors file with kohya's, PEFT's or diffusers' names, or a\n"
      "PEFT folder. svdlab quantize --lora merges on the way.",
      "svdlab lora attach flux-int4 style.safetensors --scale 0.8 --out flux-int4-style");
  options.add()("scale", po::value<double>()->default_value(1), "strength of the adapter");
  options.add()("partial", "leave out layers that are not there, instead of refusing");
  options.add()("out", po::value<std::string>(), "folder to write");
  if (!options.parse(arguments)) return 0;
  SVDLAB_REQUIRE(options.words().size() == 3, Errc::kConfig,
                 "expected attach, detach or merge, a folder and an ",
                 "adapter; usage: svdlab lora attach MODEL ADAPTER --out DIR");
  SVDLAB_REQUIRE(options.has("out"), Errc::kConfig, "--out is missing: the folder to write");
  const std::string &what = options.words()[0], &model = options.words()[1], &adapter = options.words()[2];
  const std::string out = options.get<std::string>("out");
  SVDLAB_REQUIRE(what == "attach" || what == "detach" || what == "merge", Errc::kConfig, "svdlab lora ", what,
                 ": unknown; nearest: ", nearest(what, {"attach", "detach", "merge"}));
  if (what == "attach") attach(model, adapter, options, out);
  if (what == "merge") merge(model, adapter, options, out);
  if (what == "detach") detach(model, adapter, out);
  return 0;
}

}  // namespace svdlab
