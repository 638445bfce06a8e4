// svdlab compare and svdlab baseline: run in this process, what they print captured.
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "experiments/cli/command.h"
#include "tests/experiments/compare/compared.h"
#include "tests/support/random_model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

struct Said {
  int code;
  std::string out, err;
};

Said run(const std::vector<std::string>& words) {
  ::testing::internal::CaptureStdout(), ::testing::internal::CaptureStderr();
  const int code = run_program(words);
  const std::string out = ::testing::internal::GetCapturedStdout();
  return {code, out, ::testing::internal::GetCapturedStderr()};
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

// The words behind "svdlab" in the first line of `text` that has --only.
std::vector<std::string> repeat_command(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find("svdlab ");
    if (at == std::string::npos || line.find(" --only ") == std::string::npos) continue;
    std::istringstream words(line.substr(at + 7));
    std::vector<std::string> out;
    for (std::string word; words >> word;) out.push_back(word);
    return out;
  }
  return {};
}

class Compare : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::save_known(a_, testing::known_tables());
    std::vector<Table> tables = testing::known_tables();
    testing::number_at(tables, "/layers", "output_sqnr_db", 1) -= 2;
    testing::save_known(b_, tables);
    write_file(gate_, "- {table: layers, metric: output_sqnr_db, max_drop: 0.5}\n");
  }

  testing::TempDir dir_;
  const std::string a_ = dir_.file("a.h5"), b_ = dir_.file("b.h5"), gate_ = dir_.file("gate.yaml");
};

TEST_F(Compare, PassesWithZeroAndFailsWithFour) {
  const Said same = run({"compare", a_, a_, "--gate", gate_});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_HAS(same.out, "1 gates passed");
  const Said worse = run({"compare", a_, b_, "--gate", gate_});
  EXPECT_EQ(worse.code, 4);
  EXPECT_HAS(worse.err, "error[gate]: 1 of 1 gates");
  EXPECT_HAS(worse.out,
             "FAIL  layers output_sqnr_db max_drop 0.5: 4 values, 1 offenders, worst 2, margin -1.5");
  EXPECT_EQ(run({"compare", b_, a_, "--gate", gate_}).code, 0);
}

TEST_F(Compare, ThePrintedCommandRepeatsJustTheOffender) {
  const Said first = run({"compare", a_, b_, "--gate", gate_});
  const Said again = run(repeat_command(first.out));
  EXPECT_EQ(again.code, 4) << again.err;
  EXPECT_HAS(again.out, "1 values, 1 offenders");
  EXPECT_HAS(again.out, "int4/rtn block.1.to_q: output_sqnr_db 21 -> 19");
}

TEST_F(Compare, WithoutGatesItShowsWhatDiffers) {
  const Said said = run({"compare", a_, b_});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_HAS(said.out, "1 of 4");
  EXPECT_HAS(said.out, "int4/rtn block.1.to_q");
  EXPECT_HAS(said.out, "equal bit for bit: cells (3 rows)");
}

TEST_F(Compare, TakesRunFolders) {
  std::filesystem::create_directories(dir_.file("run"));
  std::filesystem::copy(b_, dir_.file("run/results.h5"));
  EXPECT_EQ(run({"compare", a_, dir_.file("run"), "--gate", gate_}).code, 4);
}

TEST_F(Compare, BadInputIsOneLineWithTheRightCode) {
  write_file(dir_.file("text.h5"), "text");
  write_file(dir_.file("bad.yaml"),
             "- {table: layers, metric: output_sqnr_db, max_drop: 1, cell: int4/rtm}\n");
  struct Case {
    std::vector<std::string> words;
    int code;
    std::string part;
  };
  for (const Case& c :
       std::vector<Case>{{{a_}, 2, "takes two results"},
                         {{a_, dir_.file("none.h5")}, 3, "none.h5"},
                         {{a_, dir_.path()}, 3, "results.h5"},
                         {{a_, dir_.file("text.h5")}, 3, "text.h5"},
                         {{a_, b_, "--gate", dir_.file("none.yaml")}, 3, "none.yaml"},
                         {{a_, b_, "--gate", dir_.file("bad.yaml")}, 2, "nearest: \"int4/rtn\""},
                         {{a_, b_, "--gate", gate_, "--only", "x"}, 2, "column=pattern"},
                         {{"--live", a_, b_}, 2, "two programs and a study"}}) {
    std::vector<std::string> words = c.words;
    words.insert(words.begin(), "compare");
    const Said said = run(words);
    EXPECT_EQ(said.code, c.code) << said.err;
    EXPECT_EQ(std::count(said.err.begin(), said.err.end(), '\n'), 1) << said.err;
    EXPECT_HAS(said.err, c.part);
  }
}

class SmallStudy : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_random_model(dir_.file("model"));
    write_study("rtn, svd");
  }
  void write_study(const std::string& methods) const {
    write_file(
        study_,
        "study: s\nmodel: " + dir_.file("model") +
            "\nprotocol: {items: 1, steps: 2}\ncalibration: {pairs: 2, pairs_per_item: 1, tokens: 64}\n"
            "schemes: [int4]\nmethods: [" +
            methods + "]\n");
  }

  testing::TempDir dir_;
  const std::string study_ = dir_.file("study.yaml");
};

TEST_F(SmallStudy, TwoBuildsRunIt) {
  const std::string program = SVDLAB_BINARY_DIR "/svdlab";
  write_file(dir_.file("gate.yaml"), "- {table: layers, exact: true}\n- {table: samples, exact: true}\n");
  const std::vector<std::string> words = {
      "compare",       "--live", program,           program,  study_,
      "methods=[rtn]", "--runs", dir_.file("live"), "--gate", dir_.file("gate.yaml"),
      "--threads",     "1"};
  const Said said = run(words);
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_HAS(said.out, "2 gates passed");
  EXPECT_HAS(said.out, "/a-");
  EXPECT_HAS(said.out, "/b-");
  const Said part = run({"compare", "--live", program, program, study_, "--runs", dir_.file("part"), "--gate",
                         dir_.file("gate.yaml"), "--only", "table=layers,cell=int4/svd", "--threads", "1"});
  EXPECT_EQ(part.code, 0) << part.err;
  EXPECT_HAS(part.err, "cell int4/svd (1 of 1)");
  EXPECT_HAS(part.out, "1 gates passed");
  const Said bad = run({"compare", "--live", program, study_, study_, "--runs", dir_.file("live")});
  EXPECT_EQ(bad.code, 3);
  EXPECT_HAS(bad.err, "study.yaml: cannot be started");
}

class Baseline : public SmallStudy {
 protected:
  Said baseline(const std::string& action, std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"baseline", action, "--baseline", folder_, "--study", study_, "--threads", "2"});
    return run(more);
  }
  const std::string folder_ = dir_.file("baseline");
};

TEST_F(Baseline, UpdatedItHoldsBitForBit) {
  const Said none = baseline("check");
  EXPECT_EQ(none.code, 3);
  EXPECT_HAS(none.err, "make it with svdlab baseline update");
  ASSERT_EQ(baseline("update").code, 0);
  const Said said = baseline("check");
  EXPECT_EQ(said.code, 0) << said.err << said.out;
  EXPECT_HAS(said.out, "mode: exact: machine class and libraries are the baseline's");
  EXPECT_HAS(said.out, "the baseline holds");
}

TEST_F(Baseline, ADifferenceIsNamedAndThePrintedCommandRepeatsIt) {
  ASSERT_EQ(baseline("update").code, 0);
  ResultFile golden = load_results(folder_ + "/results.h5");
  double& x =
      testing::number_at(golden.tables, "/layers", "output_sqnr_db", golden.table("/layers").rows() - 1);
  x = std::nextafter(x, 0);
  save_results(folder_ + "/results.h5", golden);
  const Said said = baseline("check");
  EXPECT_EQ(said.code, 4);
  EXPECT_HAS(said.err, "error[gate]: 1 of ");
  EXPECT_HAS(said.out, "FAIL  layers exact");
  EXPECT_HAS(said.out, "first: int4/svd single_transformer_blocks.0.proj_out: output_sqnr_db ");
  const Said again = run(repeat_command(said.out));
  EXPECT_EQ(again.code, 4) << again.err;
  EXPECT_HAS(again.out, "1 offenders");
  EXPECT_EQ(again.err.find("cell int4/rtn"), std::string::npos)
      << "only the offender's cell is run: " << again.err;
  write_file(folder_ + "/gates.yaml", "- {table: layers, metric: output_sqnr_db, max_drop: 0.001}\n");
  EXPECT_EQ(baseline("check", {"--mode", "tolerance"}).code, 0);
}

TEST_F(Baseline, AnotherMachineClassMeansTolerances) {
  ASSERT_EQ(baseline("update").code, 0);
  write_file(folder_ + "/machine.yaml", "compiler: other\n");
  const Said none = baseline("check");
  EXPECT_EQ(none.code, 3);
  EXPECT_HAS(none.err, "gates.yaml");
  write_file(folder_ + "/gates.yaml", "- {table: layers, metric: output_sqnr_db, max_drop: 0.001}\n");
  const Said said = baseline("check");
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_HAS(said.out, "mode: tolerances of ");
  EXPECT_HAS(said.out, "compiler is ");
}

TEST_F(Baseline, AnotherStudyAndBadWordsAreRefused) {
  ASSERT_EQ(baseline("update").code, 0);
  write_study("rtn, smooth");
  const Said other = baseline("check");
  EXPECT_EQ(other.code, 2);
  EXPECT_HAS(other.err, "another study, model or version");
  EXPECT_EQ(baseline("chek").code, 2);
  EXPECT_EQ(baseline("check", {"--mode", "loose"}).code, 2);
  write_study("rtn], exclude: [");
  EXPECT_EQ(baseline("update").code, 2);
}

}  // namespace
}  // namespace svdlab
