// The notebooks run on the shipped results and hold the outputs of an earlier run.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/io/files.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

const std::string kFolder = SVDLAB_SOURCE_DIR "/notebooks_data/";
constexpr size_t kMostBytes = 300'000;

class Notebook : public ::testing::TestWithParam<const char*> {};

TEST_P(Notebook, IsStoredWithItsOutputs) {
  const std::string text = read_file(kFolder + GetParam());
  EXPECT_LT(text.size(), kMostBytes);
  int executed = 0, with_output = 0;
  const nlohmann::json notebook = nlohmann::json::parse(text);
  for (const nlohmann::json& cell : notebook["cells"]) {
    if (cell["cell_type"] != "code") continue;
    EXPECT_FALSE(cell["execution_count"].is_null()) << cell["source"];
    for (const nlohmann::json& output : cell["outputs"]) EXPECT_NE(output["output_type"], "error") << output;
    ++executed;
    with_output += !cell["outputs"].empty();
  }
  EXPECT_GE(executed, 3);
  EXPECT_GE(with_output, executed - 1);
  for (const char* place : {"/work/", "/tmp/", "/home/", "/root/", "/opt/"})
    EXPECT_EQ(text.find(place), std::string::npos) << place;
}

TEST_P(Notebook, Runs) {
  // PYTHON: another interpreter than the system's, e.g. one of a virtual environment.
  const char* python = std::getenv("PYTHON");
  const testing::TempDir dir;
  const std::string command =
      concat(python ? python : "python3", " '", SVDLAB_SOURCE_DIR, "/tests/experiments/run_notebook.py' '",
             kFolder, GetParam(), "' > '", dir.file("out"), "' 2>&1");
  const int status = std::system(command.c_str());
  const std::string said = read_file(dir.file("out"));
  if (WEXITSTATUS(status) == 127) GTEST_SKIP() << "python3";
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << said;
  EXPECT_EQ(status, 0) << said;
}

INSTANTIATE_TEST_SUITE_P(Shipped, Notebook, ::testing::Values("results.ipynb", "errors.ipynb"));

}  // namespace
}  // namespace svdlab
