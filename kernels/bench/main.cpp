// kernels_bench CSV [quick | single | probe] [only=NAME,...]: the benchmarks of the kernels as a program that
// needs no tensor library. quick: one shape; single: the exact loop without clusters; probe: nothing but its
// tilings, on a small product, whose outputs must be the same to the bit. only=prologue,small_m: see
// Selection.
#include <cstdio>
#include <sstream>

#include "core/base/error.h"
#include "kernels/bench/suite.h"
#include "kernels/cuda_device.h"

namespace svdlab::bench {
namespace {

struct Arguments {
  std::string csv;
  bool probe = false;
  Selection selection;
};

Arguments parse(int argc, char** argv) {
  constexpr const char* kUsage = "usage: kernels_bench CSV [quick | single | probe] [only=NAME,...]";
  SVDLAB_REQUIRE(argc >= 2, Errc::kConfig, kUsage);
  Arguments out{.csv = argv[1]};
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "quick") {
      out.selection.quick = true;
    } else if (word == "single") {
      out.selection.clusters = false;
    } else if (word == "probe") {
      out.probe = true;
    } else {
      SVDLAB_REQUIRE(word.rfind("only=", 0) == 0, Errc::kConfig, kUsage, "; not ", word);
      std::istringstream names(word.substr(5));
      for (std::string name; std::getline(names, name, ',');) out.selection.only.push_back(name);
    }
  }
  check_selection(out.selection);
  return out;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const std::string problem = cuda_device_problem();
  SVDLAB_REQUIRE(problem.empty(), Errc::kConfig, problem);
  if (arguments.probe) return exact_tilings_agree() ? 0 : 1;
  std::printf("%s\n", cuda_device_name().c_str());
  FILE* csv = std::fopen(arguments.csv.c_str(), "w");
  SVDLAB_REQUIRE(csv, Errc::kResource, "kernels_bench: cannot write ", arguments.csv);
  std::fprintf(csv, "%s\n", csv_line(measurement_columns()).c_str());
  // Rows are flushed one by one: a case that hangs the device costs no others.
  run_suite(arguments.selection, [&](const Measurement& m) {
    const std::string row = csv_line(measurement_cells(m));
    std::fprintf(csv, "%s\n", row.c_str());
    std::fflush(csv);
    std::printf("%s\n", row.c_str());
    std::fflush(stdout);
  });
  std::fclose(csv);
  return 0;
}

}  // namespace
}  // namespace svdlab::bench

int main(int argc, char** argv) {
  try {
    return svdlab::bench::run(argc, argv);
  } catch (const svdlab::Error& e) {
    std::fprintf(stderr, "kernels_bench: %s\n", e.what());
    return e.exit_code();
  }
}
