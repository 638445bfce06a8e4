// events.jsonl of an interrupted study, and what TensorBoard gets of it.
#include <gtest/gtest.h>

#include <signal.h>

#include <cstring>
#include <sstream>

#include "core/io/yaml.h"
#include "experiments/study/cell_file.h"
#include "experiments/study/table_rows.h"
#include "experiments/tensorboard/crc32c.h"
#include "tests/experiments/cli/program.h"

namespace svdlab {
namespace {

namespace fs = std::filesystem;

class ExportEvents : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_study(
        "protocol: {items: 2, steps: 2}\ncalibration: {pairs: 2, pairs_per_item: 1, tokens: 256}\n"
        "schemes: [int4]\nmethods: [rtn, svdquant]\n");
  }

  std::vector<std::string> events() const {
    std::vector<std::string> out;
    std::istringstream lines(read_file(run_folder("runs") + "/events.jsonl"));
    for (std::string line; std::getline(lines, line);)
      out.push_back(parse_yaml(line, "events.jsonl").find("event")->scalar);
    return out;
  }
};

/// The records of a TFRecord file, their checksums checked.
std::vector<std::string> records(const std::string& bytes) {
  std::vector<std::string> out;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t length = 0;
    uint32_t length_crc = 0, data_crc = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    std::memcpy(&length_crc, bytes.data() + at + 8, 4);
    EXPECT_EQ(tensorboard::masked_crc32c(bytes.substr(at, 8)), length_crc);
    const std::string data = bytes.substr(at + 12, length);
    EXPECT_EQ(data.size(), length);
    if (data.size() != length) return out;
    std::memcpy(&data_crc, bytes.data() + at + 12 + length, 4);
    EXPECT_EQ(tensorboard::masked_crc32c(data), data_crc);
    out.push_back(data);
    at += 16 + length;
  }
  return out;
}

size_t count_with(const std::vector<std::string>& records, const std::string& tag) {
  size_t n = 0;
  for (const std::string& r : records) n += r.find(tag) != std::string::npos;
  return n;
}

TEST_F(ExportEvents, AnInterruptedStudyHasOneHistoryAndExportsAtAnyTime) {
  EXPECT_EQ(run_study_until("/cells/int4-rtn.h5", SIGTERM, "runs").code, 143);
  EXPECT_EQ(events().front(), "run_started");
  EXPECT_EQ(events().back(), "run_interrupted");
  EXPECT_EQ(run_study("runs").code, 0);
  EXPECT_EQ(events().back(), "run_finished");
  const std::string folder = run_folder("runs");
  const Ended done = run({"export-events", folder, "--tensorboard", dir_.file("logs"), "--items", "1"});
  ASSERT_EQ(done.code, 0) << done.err;
  EXPECT_NE(done.out.find("2 cells"), std::string::npos) << done.out;
  for (const char* cell : {"int4-rtn", "int4-svdquant"}) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(dir_.file("logs/" + std::string(cell))))
      files.push_back(entry.path().string());
    ASSERT_EQ(files.size(), 1u);
    EXPECT_NE(files[0].find("events.out.tfevents."), std::string::npos);
    const std::vector<std::string> found = records(read_file(files[0]));
    EXPECT_EQ(count_with(found, "brain.Event:2"), 1u);
    EXPECT_EQ(count_with(found, "cell/psnr_db"), 1u);
    EXPECT_EQ(count_with(found, "trajectory/latent_rel_error"), 3u);
    EXPECT_EQ(count_with(found, "layer_steps/mean_output_sqnr_db"), 2u);
    EXPECT_EQ(count_with(found, "samples/psnr_db"), 2u);
    EXPECT_EQ(count_with(found, "\x89PNG"), 1u);
  }
}

TEST_F(ExportEvents, RefusesWhatHasNothingToExport) {
  const std::vector<std::string> to = {"--tensorboard", dir_.file("logs")};
  const Ended none = run({"export-events", dir_.path(), to[0], to[1]});
  EXPECT_EQ(none.code, 3);
  EXPECT_NE(none.err.find("events.jsonl does not exist"), std::string::npos) << none.err;
  write_file(dir_.file("events.jsonl"),
             "{\"event\":\"run_started\",\"time\":\"2026-01-31T12:00:00.000Z\"}\n");
  const Ended empty = run({"export-events", dir_.path(), to[0], to[1]});
  EXPECT_EQ(empty.code, 3);
  EXPECT_NE(empty.err.find("no cell"), std::string::npos) << empty.err;
  write_file(dir_.file("events.jsonl"), "{\"event\":\n");
  EXPECT_NE(run({"export-events", dir_.path(), to[0], to[1]}).err.find("events.jsonl, event 1"),
            std::string::npos);
  EXPECT_EQ(run({"export-events", dir_.path()}).code, 2);
  EXPECT_EQ(run({"export-events", dir_.path(), to[0], to[1], "--items", "-1"}).code, 2);
  EXPECT_FALSE(fs::exists(dir_.file("logs")));
}

}  // namespace
}  // namespace svdlab
