// Every reader on damaged files: SVDLAB_MUTATIONS of them (default 100) each, the same ones every time.
#include <gtest/gtest.h>
#include <sys/time.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "experiments/sampling/items.h"
#include "experiments/study/cell_file.h"
#include "experiments/study/schema.h"
#include "experiments/study/study_config.h"
#include "tests/fuzz/hdf5_target.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/npz_target.h"
#include "tests/fuzz/png_target.h"
#include "tests/fuzz/safetensors_target.h"
#include "tests/fuzz/yaml_target.h"
#include "tests/support/random_model.h"
#include "tests/support/repetitions.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<std::string>;
using Target = std::function<bool(const std::string& path)>;  // true: accepted

Files files_in(const std::string& folder, const std::string& extension = "") {
  Files paths, out;
  for (const auto& entry : fs::directory_iterator(SVDLAB_SOURCE_DIR "/" + folder))
    if (entry.is_regular_file() && (extension.empty() || entry.path().extension() == extension))
      paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) out.push_back(read_file(path));
  return out;
}

Files files_in_corpus(const std::string& format) { return files_in("tests/fuzz/corpus/" + format); }

// A hang ends the process: processor time, so that a busy machine does not matter.
void limit_time_until_next() {
  const itimerval limit{{0, 0}, {60, 0}};
  ASSERT_EQ(::setitimer(ITIMER_PROF, &limit, nullptr), 0);
}

class MutatedInputs : public ::testing::Test {
 protected:
  void TearDown() override {
    const itimerval none{};
    ::setitimer(ITIMER_PROF, &none, nullptr);
  }

  /// Puts mutants of the `valid` files at `path`, one after the other; some file as it was must be read and
  /// some mutant refused; `share` 2 makes half of them. When a reader ends the process, the file that did it
  /// stays there.
  static void replay(const std::string& format, const std::string& path, const Files& valid,
                     const Target& target, void (*repair)(uint8_t*, size_t) = nullptr, int64_t share = 1) {
    int64_t sound = 0;
    for (const std::string& file : valid) {
      std::ofstream(path, std::ios::binary | std::ios::trunc) << file;
      sound += target(path);
    }
    ASSERT_GT(sound, 0);
    const fuzz::Mutator mutator(format);
    int64_t good = 0;
    const int64_t count = testing::repetitions("SVDLAB_MUTATIONS", 100) / share;
    for (int64_t i = 0; i < count; ++i) {
      const auto number = static_cast<uint64_t>(i);
      std::string file = mutator(valid[number % valid.size()], number);
      if (repair && number % 4 != 0) repair(reinterpret_cast<uint8_t*>(file.data()), file.size());
      std::ofstream(path, std::ios::binary | std::ios::trunc) << file;
      limit_time_until_next();
      good += target(path);
    }
    std::cout << format << ": " << count << " damaged files, " << good << " read, " << count - good
              << " refused\n";
    EXPECT_LT(good, count);
  }

  testing::TempDir dir_;
};

// In a block of exactly its size, so that a sanitizer sees every read past the end.
bool parsed_safetensors(const std::string& file) {
  const std::vector<uint8_t> bytes(file.begin(), file.end());
  return fuzz::safetensors_target(bytes.data(), bytes.size());
}

bool read_safetensors(const std::string& path) {
  const bool parsed = parsed_safetensors(read_file(path));
  const bool read = fuzz::accepted(path, [&] {
    const SafetensorsFile file(path);
    for (const auto& [name, entry] : file.entries()) file.tensor(name).clone();
  });
  return parsed && read;
}

bool yaml_file(const std::string& path) { return fuzz::yaml_target(read_file(path)); }

TEST_F(MutatedInputs, Corpus) {
  int total = 0, good = 0;
  const auto count = [&](bool accepted) { total += 1, good += accepted; };
  for (const std::string& file : files_in_corpus("safetensors")) count(parsed_safetensors(file));
  for (const std::string& file : files_in_corpus("yaml")) count(fuzz::yaml_target(file));
  for (const std::string& file : files_in_corpus("override")) count(fuzz::override_target(file));
  for (const std::string& file : files_in_corpus("npy")) count(fuzz::npy_target(file));
  const std::map<std::string, Target> files = {
      {"png", fuzz::png_target}, {"hdf5", fuzz::hdf5_target}, {"npz", fuzz::npz_target}};
  for (const auto& [format, target] : files)
    for (const auto& entry : fs::directory_iterator(SVDLAB_SOURCE_DIR "/tests/fuzz/corpus/" + format))
      count(target(entry.path().string()));
  EXPECT_GE(total, 30);
  EXPECT_GE(good, 8);
  EXPECT_LT(good, total);
}

TEST_F(MutatedInputs, Safetensors) {
  replay("safetensors", dir_.file("x.safetensors"),
         {read_file(SVDLAB_SOURCE_DIR "/tests/golden/safetensors.safetensors")}, read_safetensors);
}

TEST_F(MutatedInputs, Yaml) {
  replay("yaml", dir_.file("x.yaml"), files_in("experiments/configs", ".yaml"), yaml_file);
}

TEST_F(MutatedInputs, Override) {
  const Files valid = {"seed=4", "plan.0.rank=8", "+plan.1.rank={exact: [1, 2.5, \"x\"]}", "~plan.1",
                       "study=\"a b\""};
  replay("override", dir_.file("x"), valid,
         [](const std::string& path) { return fuzz::override_target(read_file(path)); });
}

TEST_F(MutatedInputs, Study) {
  replay("study", dir_.file("x.yaml"), files_in("experiments/configs", ".yaml"),
         [](const std::string& path) { return fuzz::accepted(path, [&] { load_study({path}, {}); }); });
}

TEST_F(MutatedInputs, Png) {
  replay("png", dir_.file("x.png"), files_in_corpus("png"), fuzz::png_target, fuzz::repair_png);
}

TEST_F(MutatedInputs, Npz) { replay("npz", dir_.file("x.npz"), files_in_corpus("npz"), fuzz::npz_target); }

TEST_F(MutatedInputs, Npy) {
  replay("npy", dir_.file("x.npy"), files_in_corpus("npy"),
         [](const std::string& path) { return fuzz::npy_target(read_file(path)); });
}

TEST_F(MutatedInputs, Hdf5) {
  Hdf5Writer w(dir_.file("valid.h5"));
  w.attribute("schema", "svdlab/1");
  w.text("/config", "seed: 0\n");
  w.table({"/layers",
           {{"layer", "", Files{"a", "blocks.1.ff"}},
            {"rank", "", std::vector<int64_t>{8, -1}},
            {"sqnr", "dB", std::vector<double>{19.4, -1e300}}}});
  w.tensor("/spectra/a", testing::random_tensor({40}, "spectra"));
  w.close();
  replay("hdf5", dir_.file("x.h5"), {read_file(dir_.file("valid.h5"))}, fuzz::hdf5_target, nullptr, 2);
}

TEST_F(MutatedInputs, Results) {
  save_results(dir_.file("valid.h5"), {.tables = result_tables(),
                                       .config_sha256 = "00",
                                       .model_sha256 = "11",
                                       .config_yaml = "study: s",
                                       .provenance_json = "{}"});
  replay(
      "results", dir_.file("x.h5"), {read_file(dir_.file("valid.h5"))},
      [](const std::string& path) { return fuzz::accepted(path, [&] { load_results(path); }); }, nullptr, 2);
}

TEST_F(MutatedInputs, ModelFolder) {
  const std::string folder = dir_.file("model");
  testing::write_random_model(folder);
  for (const char* name : {"config.json", "sampling.yaml", "conditioning.safetensors",
                           "diffusion_pytorch_model.safetensors.index.json"}) {
    const std::string path = folder + "/" + name, valid = read_file(path);
    replay(name, path, {valid}, [&](const std::string&) {
      return fuzz::accepted(folder, [&] {
        load_model(folder);
        load_conditioning(folder);
        load_sampling_facts(folder);
      });
    });
    write_file(path, valid);
  }
}

}  // namespace
}  // namespace svdlab
