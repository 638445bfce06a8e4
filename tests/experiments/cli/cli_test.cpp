// The program as users run it: exit codes, messages, kills.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/io/files.h"
#include "experiments/study/cell_file.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"
#include "tests/support/tables.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

struct Ended {
  int code = -1;  ///< exit code, or -signal
  std::string out, err;
};

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs::exists(kProgram)) << kProgram << " is not built";
    testing::write_random_model(dir_.file("model"));
    write_file(
        dir_.file("study.yaml"),
        "study: s\nmodel: " + dir_.file("model") +
            "\nprotocol: {items: 6, steps: 4}\ncalibration: {pairs: 4, pairs_per_item: 2, tokens: 256}\n"
            "schemes: [int4, nvfp4]\nmethods: [rtn, smooth, svdquant, svdquant-gptq]\n");
  }

  pid_t start(const std::vector<std::string>& arguments) const {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    for (const auto& [name, target] : {std::pair("out", STDOUT_FILENO), std::pair("err", STDERR_FILENO)})
      ::dup2(::open(dir_.file(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), target);
    std::vector<char*> argv = {const_cast<char*>(kProgram)};
    for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    ::execv(kProgram, argv.data());
    ::_exit(127);
  }

  Ended wait(pid_t pid) const {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read_file(dir_.file("out")),
            read_file(dir_.file("err"))};
  }
  Ended run(const std::vector<std::string>& arguments) const { return wait(start(arguments)); }
  Ended run_study(const std::string& runs, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"run", dir_.file("study.yaml"), "--runs", dir_.file(runs)});
    return run(more);
  }

  std::string run_folder(const std::string& runs) const {
    for (const auto& entry : fs::directory_iterator(dir_.file(runs)))
      if (entry.path().filename() != "cache") return entry.path().string();
    return "";
  }

  int64_t finished_cells(const std::string& runs) const {
    if (!fs::exists(dir_.file(runs))) return 0;
    const std::string folder = run_folder(runs);
    int64_t count = 0;
    if (folder.empty() || !fs::exists(folder + "/cells")) return 0;
    for (const auto& entry : fs::directory_iterator(folder + "/cells"))
      count += entry.path().extension() == ".h5";
    return count;
  }

  /// Starts the study and sends `signal` as soon as `cells` of its cells are finished.
  Ended interrupted_after(int64_t cells, int signal, const std::string& runs) const {
    const pid_t pid = start({"run", dir_.file("study.yaml"), "--runs", dir_.file(runs), "--threads", "1"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
    while (finished_cells(runs) < cells && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ::kill(pid, signal);
    return wait(pid);
  }

  static constexpr const char* kProgram = SVDLAB_BINARY_DIR "/svdlab";
  testing::TempDir dir_;
};

struct Misuse {
  std::vector<std::string> arguments;
  int code;
  std::vector<std::string> parts;  ///< of the one line on stderr
};

TEST_F(Program, MisuseIsOneLineWithTheNearestAndTheRightExitCode) {
  const std::vector<Misuse> cases = {
      {{}, 2, {"error[config]", "--help"}},
      {{"rnu"}, 2, {"unknown command rnu", "nearest: run"}},
      {{"--verson"}, 2, {"--verson", "--version"}},
      {{"run"}, 2, {"no study file"}},
      {{"run", "--thread", "2"}, 2, {"--thread", "--threads"}},
      {{"run", "--threads", "two", "x.yaml"}, 2, {"two", "--threads"}},
      {{"run", "--threads", "-1", "x.yaml"}, 2, {"--threads"}},
      {{"run", dir_.file("absent.yaml")}, 3, {"error[input]", "absent.yaml"}},
      {{"run", dir_.file("study.yaml"), "model=/nowhere"}, 3, {"/nowhere"}},
      {{"run", dir_.file("study.yaml"), "protocol.item=3"}, 2, {"protocol.item=3", "`items`"}},
      {{"list", "schemas"}, 2, {"schemas", "schemes"}},
      {{"list"}, 2, {"usage"}},
      {{"inspect", dir_.file("absent")}, 3, {"absent"}},
      {{"inspect", dir_.file("study.yaml")}, 2, {"study.yaml"}},
      {{"report", dir_.path()}, 3, {"results.h5"}},
      {{"sample"}, 2, {"model folder"}},
      {{"sample", dir_.file("model"), "--items", "0"}, 2, {"--items"}},
      {{"calibrate", dir_.file("model")}, 2, {"--out"}},
      {{"train", dir_.file("study.yaml")}, 2, {"--out"}},
  };
  for (const Misuse& m : cases) {
    const Ended ended = run(m.arguments);
    SCOPED_TRACE(ended.err);
    EXPECT_EQ(ended.code, m.code);
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1);
    EXPECT_EQ(ended.out, "");
    for (const std::string& part : m.parts) EXPECT_NE(ended.err.find(part), std::string::npos) << part;
  }
}

TEST_F(Program, HelpAndListsGoToStdout) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"--help"},
                                                                                     {"run", "-h"},
                                                                                     {"sample", "--help"},
                                                                                     {"calibrate", "-h"},
                                                                                     {"train", "-h"},
                                                                                     {"inspect", "-h"},
                                                                                     {"doctor", "-h"},
                                                                                     {"report", "-h"},
                                                                                     {"list", "-h"}}) {
    const Ended ended = run(words);
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.err, "");
    EXPECT_NE(ended.out.find("Example:\n  svdlab "), std::string::npos) << words.front();
  }
  for (const char* what : {"formats", "schemes", "methods", "transforms", "drivers", "solvers", "objectives",
                           "weights", "models"})
    EXPECT_EQ(run({"list", what}).code, 0) << what;
  EXPECT_NE(run({"list", "methods"}).out.find("svdquant "), std::string::npos);
  EXPECT_NE(run({"--version"}).out.find("torch "), std::string::npos);
  EXPECT_NE(run({"doctor"}).out.find("compiler"), std::string::npos);
}

TEST_F(Program, SamplesCalibratesAndInspects) {
  const Ended sampled = run({"sample", dir_.file("model"), "--items", "2", "--steps", "2", "--out",
                             dir_.file("pictures"), "--latents-per-step"});
  EXPECT_EQ(sampled.code, 0) << sampled.err;
  for (const char* file : {"grid.png", "item-0000-airplane.png", "item-0001-automobile.safetensors"})
    EXPECT_TRUE(fs::exists(dir_.file("pictures") + "/" + file)) << file;
  EXPECT_NE(run({"inspect", dir_.file("pictures/item-0000-airplane.safetensors")}).out.find("[3, 64, 12]"),
            std::string::npos);
  EXPECT_NE(run({"inspect", dir_.file("model")}).out.find("FluxTransformer2DModel"), std::string::npos);
  EXPECT_EQ(run({"calibrate", dir_.file("model"), "--out", dir_.file("stats.safetensors"), "--pairs", "2",
                 "--pairs-per-item", "1", "--steps", "2"})
                .code,
            0);
  EXPECT_TRUE(fs::exists(dir_.file("stats.safetensors")));
}

TEST_F(Program, AKilledStudyGoesOnFromItsFinishedCells) {
  ASSERT_EQ(run_study("whole", {"--threads", "2"}).code, 0);
  EXPECT_EQ(interrupted_after(3, SIGKILL, "killed").code, -SIGKILL);
  const std::string folder = run_folder("killed");
  ASSERT_FALSE(fs::exists(folder + "/results.h5")) << "the study was over before it could be killed";
  write_file(folder + "/cells/left.h5.tmp.1", "what a killed writer leaves");
  const Ended again = run_study("killed");
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_NE(again.err.find("int4/rtn: reused"), std::string::npos) << again.err;
  EXPECT_NE(again.err.find("calibration: reused"), std::string::npos) << again.err;
  EXPECT_FALSE(fs::exists(folder + "/cells/left.h5.tmp.1"));
  const ResultFile resumed = load_results(folder + "/results.h5");
  const ResultFile whole = load_results(run_folder("whole") + "/results.h5");
  testing::expect_same_tables(resumed.tables, whole.tables, false);
  EXPECT_EQ(read_file(folder + "/samples/nvfp4-svdquant/grid.png"),
            read_file(run_folder("whole") + "/samples/nvfp4-svdquant/grid.png"));
}

TEST_F(Program, ASignalEndsItWithItsOwnCodeAndAStatus) {
  for (const auto& [signal, code, runs] :
       {std::tuple(SIGINT, 130, "int"), std::tuple(SIGTERM, 143, "term")}) {
    const Ended ended = interrupted_after(2, signal, runs);
    EXPECT_EQ(ended.code, code);
    EXPECT_NE(ended.err.find("interrupted"), std::string::npos);
    EXPECT_NE(read_file(run_folder(runs) + "/status.json").find("\"interrupted\""), std::string::npos);
  }
}

TEST_F(Program, StudiesTellTheirOutcomeByExitCode) {
  const Ended dry = run_study("dry", {"--dry-run"});
  EXPECT_EQ(dry.code, 0) << dry.err;
  EXPECT_NE(dry.out.find("run   int4/rtn"), std::string::npos);
  EXPECT_FALSE(fs::exists(dir_.file("dry")));
  const std::vector<std::string> quick = {"protocol={items: 1, steps: 2}", "methods=[svd, rtn]",
                                          "schemes=[int4]"};
  testing::write_random_model(dir_.file("model"), {.huge_weight = true});
  const Ended failed = run_study("failed", quick);
  EXPECT_EQ(failed.code, 5) << failed.err;
  EXPECT_NE(failed.err.find("error[failed-cells]: 1 of 2 cells failed"), std::string::npos) << failed.err;
  EXPECT_NE(failed.out.find("int4/svd failed: "), std::string::npos) << failed.out;
  write_file(dir_.file("file"), "");
  EXPECT_EQ(run_study("file/runs", quick).code, 6);
}

}  // namespace
}  // namespace svdlab
