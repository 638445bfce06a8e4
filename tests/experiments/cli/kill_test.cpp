// Studies that are stopped, at a moment or at a file they put in place, and go on.
#include <gtest/gtest.h>

#include <signal.h>

#include <chrono>
#include <iostream>
#include <map>
#include <thread>

#include "experiments/study/cell_file.h"
#include "tests/experiments/cli/program.h"
#include "tests/support/repetitions.h"
#include "tests/support/tables.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// At how many moments a study is killed.
int64_t kills() { return testing::repetitions("SVDLAB_KILLS", 3); }

std::map<std::string, std::string> pictures(const std::string& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".png")
      out[fs::relative(entry.path(), folder).string()] = read_file(entry.path().string());
  return out;
}

class KilledStudy : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_study(
        "protocol: {items: 2, steps: 2}\ncalibration: {pairs: 2, pairs_per_item: 1, tokens: 256}\n"
        "schemes: [int4]\nmethods: [rtn, svdquant]\n");
    const std::string count = dir_.file("renames");
    const auto started = Clock::now();
    ASSERT_EQ(run_study("whole", {},
                        [&] {
                          ::setenv("SVDLAB_RENAME_COUNT", count.c_str(), 1);
                          preload("");
                        })
                  .code,
              0);
    length_ = Clock::now() - started;
    renames_ = static_cast<int64_t>(read_file(count).size());
    ASSERT_GE(renames_, 10);
    whole_ = load_results(run_folder("whole") + "/results.h5");
    pictures_ = pictures(run_folder("whole"));
    ASSERT_GE(pictures_.size(), 6u);
  }

  /// What a killed study left is whole, and the same command comes to the same end.
  void expect_goes_on(const std::string& runs) {
    if (fs::exists(dir_.file(runs)))
      for (const auto& entry : fs::recursive_directory_iterator(dir_.file(runs)))
        if (entry.path().extension() == ".h5") EXPECT_NO_THROW(load_results(entry.path().string()));
    const Ended again = run_study(runs);
    ASSERT_EQ(again.code, 0) << again.err;
    const std::string folder = run_folder(runs);
    testing::expect_same_tables(load_results(folder + "/results.h5").tables, whole_.tables, false);
    EXPECT_TRUE(pictures(folder) == pictures_);
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      EXPECT_EQ(entry.path().filename().string().find(".tmp."), std::string::npos) << entry.path();
    fs::remove_all(dir_.file(runs));
  }

  Clock::duration length_{};  ///< of the study when nothing disturbs it
  int64_t renames_ = 0;
  ResultFile whole_;
  std::map<std::string, std::string> pictures_;
};

TEST_F(KilledStudy, AtMomentsAllOverItsTimeComesToTheSameEnd) {
  int64_t hits = 0;
  const int64_t count = kills();
  for (int64_t i = 0; i < count; ++i) {
    SCOPED_TRACE(concat("moment ", i, " of ", count));
    const auto started = Clock::now();
    const pid_t pid = start(study_arguments("killed"));
    std::this_thread::sleep_until(started + length_ * (2 * i + 1) / (2 * count));
    ::kill(pid, SIGKILL);
    const Ended ended = wait(pid);
    // On a machine that has become faster meanwhile, the last moments lie behind the end.
    if (ended.code == 0)
      length_ = std::min(length_, Clock::now() - started);
    else
      ++hits;
    expect_goes_on("killed");
  }
  std::cout << hits << " of " << count << " kills in "
            << std::chrono::duration_cast<std::chrono::milliseconds>(length_).count() << " ms\n";
  EXPECT_GE(hits, 1);
}

TEST_F(KilledStudy, AtFilesItPutsInPlaceComesToTheSameEnd) {
  const int64_t count = std::min(kills(), 2 * renames_);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t moment = (2 * i + 1) * renames_ / count;  // of 2 * renames: before and after each
    const std::string wish = concat(SIGKILL, moment % 2 ? ":after:" : ":before:", 1 + moment / 2);
    SCOPED_TRACE(wish);
    EXPECT_EQ(run_study("killed", {}, [&] { preload(wish); }).code, -SIGKILL);
    expect_goes_on("killed");
  }
}

TEST_F(Program, AKilledStudyGoesOnFromItsFinishedCells) {
  ASSERT_EQ(run_study("whole", {"--threads", "2"}).code, 0);
  EXPECT_EQ(run_study_until("/cells/int4-svdquant.h5", SIGKILL, "killed").code, -SIGKILL);
  const std::string folder = run_folder("killed");
  EXPECT_FALSE(fs::exists(folder + "/results.h5"));
  write_file(folder + "/cells/left.h5.tmp.1", "what a killed writer leaves");
  const Ended again = run_study("killed");
  EXPECT_EQ(again.code, 0) << again.err;
  for (const char* reused : {"int4/rtn: reused", "int4/svdquant: reused", "calibration: reused"})
    EXPECT_NE(again.err.find(reused), std::string::npos) << again.err;
  EXPECT_EQ(again.err.find("nvfp4/rtn: reused"), std::string::npos) << again.err;
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
    const Ended ended = run_study_until("/cells/int4-smooth.h5", signal, runs);
    EXPECT_EQ(ended.code, code);
    EXPECT_NE(ended.err.find("interrupted"), std::string::npos);
    EXPECT_NE(read_file(run_folder(runs) + "/status.json").find("\"interrupted\""), std::string::npos);
  }
}

}  // namespace
}  // namespace svdlab
