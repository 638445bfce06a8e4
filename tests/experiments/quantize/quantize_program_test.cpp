// svdlab quantize as users run it: killed, under mpirun, on a disk that is too small.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>

#include "core/io/compressed_file.h"
#include "experiments/quantize/ranks.h"
#include "tests/experiments/cli/program.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> files_of(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(folder))
    out[entry.path().filename().string()] = read_file(entry.path().string());
  return out;
}

// Open MPI leaks by its own account, which is no finding of a sanitizer about us.
constexpr const char* kMpirun =
    "ASAN_OPTIONS=\"$ASAN_OPTIONS:detect_leaks=0\" mpirun --allow-run-as-root --oversubscribe --bind-to none "
    "-n ";

class QuantizeProgram : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_file(dir_.file("config.yaml"),
               "{scheme: int4, method: m, methods: {m: {transform: {smooth: {alpha: 0.5, beta: 0.5}},"
               " driver: svdquant, low_rank: {rank: 4}, weights: gptq}}}");
    const Ended ended = run({"calibrate", dir_.file("model"), "--pairs", "2", "--pairs-per-item", "2",
                             "--steps", "2", "--tokens", "64", "--out", dir_.file("stats")});
    ASSERT_EQ(ended.code, 0) << ended.err;
  }

  std::vector<std::string> arguments(const std::string& out,
                                     const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"quantize", dir_.file("model"), "--config", dir_.file("config.yaml"),
                                    "--stats",  dir_.file("stats"), "--out",    dir_.file(out)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::map<std::string, std::string> whole() const {
    const Ended ended = run(arguments("whole"));
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_NE(ended.out.find("peak anonymous memory"), std::string::npos) << ended.out;
    return files_of(dir_.file("whole"));
  }
};

TEST_F(QuantizeProgram, KilledAtAnyFileItComesToTheSameBytes) {
  const auto expected = whole();
  const int64_t renames = static_cast<int64_t>(expected.size()) + 1;  // and quantization.partial.json
  ASSERT_GE(renames, 12);
  const std::vector<std::pair<const char*, int64_t>> moments = {
      {"before", 1},           {"after", 1},        {"after", renames / 3},
      {"before", renames - 1}, {"before", renames}, {"after", renames}};
  for (const auto& [when, at] : moments) {
    const std::string wish = concat(SIGKILL, ":", when, ":", at);
    SCOPED_TRACE(wish);
    const Ended killed = run(arguments("killed", {"--threads", "2"}), [&] { preload(wish); });
    EXPECT_EQ(killed.code, -SIGKILL) << killed.err;
    const bool done = at == renames && std::string(when) == "after";
    EXPECT_EQ(fs::exists(dir_.file("killed/quantization.json")), done);
    const Ended again = run(arguments("killed"));
    EXPECT_EQ(again.code, 0) << again.err;
    EXPECT_TRUE(files_of(dir_.file("killed")) == expected);
    fs::remove_all(dir_.file("killed"));
  }
}

TEST_F(QuantizeProgram, OneTwoAndFourRanksWriteTheSameBytes) {
  if (!Ranks::built_in()) GTEST_SKIP() << "built without MPI";
  if (std::system("command -v mpirun > /dev/null 2>&1") != 0) GTEST_SKIP() << "mpirun";
  const auto expected = whole();
  for (const int ranks : {1, 2, 4}) {
    std::string command = concat(kMpirun, ranks, " ", kProgram);
    for (const std::string& word : arguments("ranks", {"--threads", "1"})) command += " " + word;
    ASSERT_EQ(std::system((command + " > " + dir_.file("log") + " 2>&1").c_str()), 0)
        << read_file(dir_.file("log"));
    const std::string log = read_file(dir_.file("log"));
    EXPECT_EQ(log.find(concat("each of ", ranks, " processes")) != std::string::npos, ranks > 1) << log;
    EXPECT_TRUE(files_of(dir_.file("ranks")) == expected) << ranks;
    fs::remove_all(dir_.file("ranks"));
  }
}

TEST_F(QuantizeProgram, ARankThatFailsStopsAllWithItsMessage) {
  if (!Ranks::built_in()) GTEST_SKIP() << "built without MPI";
  if (std::system("command -v mpirun > /dev/null 2>&1") != 0) GTEST_SKIP() << "mpirun";
  std::string command = concat(kMpirun, 2, " ", kProgram);
  for (const std::string& word : arguments("ranks", {"score_tokens=0"})) command += " " + word;
  EXPECT_NE(std::system((command + " > " + dir_.file("log") + " 2>&1").c_str()), 0);
  EXPECT_NE(read_file(dir_.file("log")).find("score_tokens"), std::string::npos);
}

TEST_F(QuantizeProgram, TheArtefactIsInspectedAndSampled) {
  whole();
  const Ended inspected = run({"inspect", dir_.file("whole")});
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  for (const char* part : {"transformer_blocks.0.attn.to_q", "int4 g64", "bits/weight", "fingerprint"})
    EXPECT_NE(inspected.out.find(part), std::string::npos) << inspected.out;
  const auto sample = [&](const std::string& out, const std::vector<std::string>& more) {
    std::vector<std::string> all = {"sample", dir_.file("model"), "--items", "1", "--steps", "2",
                                    "--out",  dir_.file(out)};
    all.insert(all.end(), more.begin(), more.end());
    const Ended ended = run(all);
    EXPECT_EQ(ended.code, 0) << ended.err;
    return read_file(dir_.file(out) + "/item-0000-airplane.png");
  };
  EXPECT_NE(sample("pictures", {"--quantized", dir_.file("whole")}), sample("pictures16", {}));
  testing::write_random_model(dir_.file("other"), {.single_blocks = 2});
  const Ended wrong =
      run({"sample", dir_.file("other"), "--quantized", dir_.file("whole"), "--out", dir_.file("x")});
  EXPECT_EQ(wrong.code, 3);
  EXPECT_NE(wrong.err.find("SHA-256"), std::string::npos) << wrong.err;
}

TEST_F(QuantizeProgram, AChangeOfTheCheckpointDuringTheRunIsRefused) {
  // The first unit's file is put in place while somebody writes to the checkpoint.
  const std::string weights = dir_.file("model/diffusion_pytorch_model-00001-of-00001.safetensors");
  ASSERT_TRUE(fs::exists(weights));
  const pid_t pid =
      start(arguments("changed", {"--threads", "1"}), [&] { preload(concat(SIGSTOP, ":after:2")); });
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, WUNTRACED), pid);
  ASSERT_TRUE(WIFSTOPPED(status));
  fs::last_write_time(weights, fs::last_write_time(weights) + std::chrono::seconds(2));
  ::kill(pid, SIGCONT);
  const Ended ended = wait(pid);
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_NE(ended.err.find("changed while it was read"), std::string::npos) << ended.err;
  EXPECT_FALSE(fs::exists(dir_.file("changed/quantization.json")));
}

TEST_F(QuantizeProgram, ADryRunWritesNothing) {
  const Ended ended = run(arguments("dry", {"--dry-run"}));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.out.find("memory  at most"), std::string::npos) << ended.out;
  EXPECT_FALSE(fs::exists(dir_.file("dry")));
}

}  // namespace
}  // namespace svdlab
