// The program as users run it: exit codes and messages.
#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "tests/experiments/cli/program.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

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
                           "weights", "models", "backends"})
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
