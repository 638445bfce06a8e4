#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/files.h"
#include "core/io/yaml.h"
#include "experiments/cli/command.h"
#include "experiments/study/cell_file.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

/// A published table of two rows, a study that measures them, and a small random model.
class Repro : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(dir_.file("model"));
    write_file(dir_.file("study.yaml"),
               "study: s\nmodel: " + dir_.file("model") +
                   "\nprotocol: small\ncalibration: {pairs: 4, pairs_per_item: 2, tokens: 256}\n"
                   "schemes: [int4, nvfp4, w8a8]\nmethods: [rtn, svdquant]\n");
    make_directories(dir_.file("tables"));
    write_file(dir_.file("tables/mine.yaml"),
               "table: mine\ntitle: Mine\nsource: {arxiv: 1v1, place: here}\nprotocol: {n: 9}\nstudy: " +
                   dir_.file("study.yaml") +
                   "\nrows: {w8: w8a8/rtn, w4: int4/rtn}\nmetrics:\n"
                   "  psnr: {better: higher, unit: dB, implementation: i, ours: psnr_mean, band: 0.3}\n"
                   "  fid: {better: lower, implementation: i, absent: needs a network}\n"
                   "sections:\n  - {section: big, metrics: [psnr, fid], columns: {C: {w8: [30, 1], w4: [20, "
                   "2]}}}\ncompare: [[w4, w8]]\n");
  }

  struct Ended {
    int code;
    std::string out, err;
  };
  Ended run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "repro");
    for (const auto& [flag, folder] : {std::pair("--tables", "tables"), std::pair("--runs", "runs")})
      arguments.push_back(flag), arguments.push_back(dir_.file(folder));
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run_program(arguments);
    return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
  }
  Ended measure() const { return run({"mine", "protocol.items=4", "protocol.steps=2", "--threads", "1"}); }
  std::string run_folder() const {
    for (const auto& entry : fs::directory_iterator(dir_.file("runs")))
      if (entry.path().filename().string().starts_with("repro-mine-")) return entry.path().string();
    return "";
  }

  testing::TempDir dir_;
};

TEST_F(Repro, RunsWhatTheTableNeedsAndJudgesIt) {
  const Ended first = measure();
  ASSERT_EQ(first.code, 0) << first.err;
  for (const char* part : {"measured on model (", "published for big", "2 direction reproduced",
                           "2 not comparable", "w8 over w4", "holds"})
    EXPECT_NE(first.out.find(part), std::string::npos) << part << "\n" << first.out;
  for (const char* file : {"verdicts.md", "verdicts.csv", "orderings.csv", "verdicts.json"})
    EXPECT_TRUE(fs::exists(run_folder() + "/repro/" + file)) << file;
  EXPECT_EQ(load_results(run_folder() + "/results.h5").table("/cells").rows(), 3u);  // 16 bit and two

  const Ended second = measure();
  EXPECT_NE(second.err.find("2 reused"), std::string::npos) << second.err;
  EXPECT_EQ(second.out, first.out);

  const Ended from_file = run({"mine", "--results", run_folder()});
  ASSERT_EQ(from_file.code, 0) << from_file.err;
  const auto without_path = [](const std::string& s) { return s.substr(0, s.rfind("verdicts: ")); };
  EXPECT_EQ(without_path(from_file.out), without_path(first.out));
}

TEST_F(Repro, RefusesResultsOfAnotherModelOrStudy) {
  ASSERT_EQ(measure().code, 0);
  testing::write_random_model(dir_.file("other"), {.heads = 1});
  const Ended other = run({"mine", "--results", run_folder(), "--model", dir_.file("other")});
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("results of a model with SHA-256"), std::string::npos) << other.err;

  ResultFile results = load_results(run_folder() + "/results.h5");
  results.config_yaml = "study: elsewhere\n";
  save_results(dir_.file("elsewhere.h5"), results);
  const Ended study = run({"mine", "--results", dir_.file("elsewhere.h5")});
  EXPECT_EQ(study.code, 2);
  EXPECT_NE(study.err.find("results of study elsewhere"), std::string::npos) << study.err;
}

TEST_F(Repro, TakesWhatEvalPrints) {
  const auto put = [&](const std::string& name, double psnr) {
    make_directories(dir_.file("given/big/C"));
    write_file(dir_.file("given/big/C/" + name + ".json"),
               concat("{\"metrics\":[{\"metric\":\"psnr_mean\",\"implementation\":\"mean\",\"value\":", psnr,
                      ",\"lo\":", psnr - 1, ",\"hi\":", psnr + 1,
                      ",\"n\":64},{\"metric\":\"psnr_pooled\","
                      "\"implementation\":\"p\",\"value\":\"inf\",\"lo\":null,\"hi\":null,\"n\":64}]}"));
  };
  put("w8", 30.2), put("w4", 23);
  const Ended ended = run({"mine", "--results", dir_.file("given")});
  ASSERT_EQ(ended.code, 0) << ended.err;
  for (const char* part : {"measured on big", "1 reproduced", "1 direction reproduced"})
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;

  put("w88", 1);
  const Ended unknown = run({"mine", "--results", dir_.file("given")});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("no row \"w88\" there; nearest: \"w8\""), std::string::npos) << unknown.err;
}

TEST_F(Repro, TablesWithoutAStudyAreNotComparable) {
  write_file(dir_.file("tables/said.yaml"),
             "table: said\ntitle: Said\nsource: {arxiv: 1v1, place: here}\nprotocol: {}\nmetrics:\n"
             "  seen: {better: higher, implementation: pictures, absent: pictures and no number}\n"
             "  psnr: {better: higher, implementation: i, ours: psnr_mean}\n"
             "sections: [{section: big, metrics: [seen, psnr], columns: {C: {a: [figure, 3]}}}]\n");
  const Ended ended = run({"said"});
  ASSERT_EQ(ended.code, 0) << ended.err;
  for (const char* part : {"measured: nothing", "not comparable (metric: pictures and no number)",
                           "not comparable (not measured)", "0 not reproduced, 2 not comparable"})
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  EXPECT_TRUE(fs::exists(dir_.file("runs/repro-said/verdicts.json")));
}

TEST_F(Repro, ListsAndRefusesInOneLine) {
  const Ended list = run({"list"});
  EXPECT_EQ(list.code, 0);
  EXPECT_NE(list.out.find("mine"), std::string::npos);
  make_directories(dir_.file("empty"));
  write_file(dir_.file("junk.h5"), "junk");
  const std::vector<std::tuple<std::vector<std::string>, int, std::string>> cases = {
      {{"mein"}, 2, "nearest: \"mine\""},
      {{}, 2, "one table is needed"},
      {{"mine", "--results", dir_.file("nowhere")}, 3, "does not exist"},
      {{"mine", "--results", dir_.file("empty")}, 3, "<section>/<column>/<row>.json"},
      {{"mine", "--results", dir_.file("junk.h5")}, 3, "junk.h5"},
      {{"mine", "--results", dir_.file("empty"), "--model", "x"}, 2, "--model"},
      {{"mine", "--results", dir_.file("empty"), "a.b=c"}, 2, "a.b=c"},
      {{"mine", "--protocol", "tiny"}, 2, "tiny"},
      {{"mine", "protocol.item=1"}, 2, "`items`"},
      {{"mine", "--model", "/nowhere"}, 3, "/nowhere"}};
  for (const auto& [arguments, code, part] : cases) {
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.code, code) << ended.err;
    EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_EQ(ended.out, "");
  }
}

}  // namespace
}  // namespace svdlab
