#include <filesystem>
#include <iostream>
#include <sstream>

#include "core/base/error.h"
#include "core/io/files.h"
#include "experiments/bench/kernel_table.h"
#include "experiments/bench/step_bench.h"
#include "experiments/cli/command.h"
#include "experiments/cli/options.h"
#include "experiments/report/table_views.h"
#include "experiments/report/text.h"
#include "kernels/bench/suite.h"
#include "kernels/cuda_device.h"

namespace svdlab {
namespace {

namespace po = boost::program_options;

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');) out.push_back(name);
  return out;
}

void write_csv(const Options& options, const Table& table) {
  if (options.has("csv")) write_file(options.get<std::string>("csv"), report::to_csv(table));
}

// Rows are written one by one: a case that hangs the device costs no others.
int bench_kernels(const Options& options, const std::vector<std::string>& kinds) {
  bench::Selection selection{.only = kinds, .quick = options.has("quick")};
  const std::vector<std::string> only = split_names(options.get<std::string>("only"));
  if (!only.empty()) selection.only = only;
  std::vector<bench::Measurement> rows;
  bench::run_suite(selection, [&](const bench::Measurement& row) {
    rows.push_back(row);
    std::cerr << row.what << " " << row.variant << " " << row.m << " x " << row.n << " x " << row.k
              << ", rank " << row.rank << ": "
              << (row.error.empty() ? report::fixed(row.cold_us, 1) + " us" : row.error) << "\n";
    write_csv(options, kernel_table(rows));
  });
  std::cout << cuda_device_name() << "\n" << report::to_terminal(kernel_table(rows));
  return 0;
}

StepOptions step_options(const Options& options) {
  StepOptions out{.models = split_names(options.get<std::string>("only")),
                  .runs = options.get<int>("runs"),
                  .breakdown = options.has("breakdown")};
  SVDLAB_REQUIRE(out.runs >= 1 && out.runs <= 1000, Errc::kConfig, "--runs must be in [1, 1000], not ",
                 out.runs);
  const auto blocks = [&](const char* flag, int64_t all) {
    const int64_t count = options.has("quick") ? 1 : options.get<int64_t>(flag);
    SVDLAB_REQUIRE(count >= 0 && count <= all, Errc::kConfig, "--", flag, " must be in [0, ", all, "], not ",
                   count);
    return count;
  };
  out.shape.model.num_layers = blocks("double", 19);
  out.shape.model.num_single_layers = blocks("single", 38);
  return out;
}

int bench_step(const Options& options) {
  std::vector<StepRow> rows;
  run_step_bench(step_options(options), [&](const StepRow& row) {
    rows.push_back(row);
    std::cerr << row.model << " " << row.mode << ": "
              << (row.times.runs > 0 ? report::fixed(row.times.median, 2) + " ms" : row.message) << "\n";
    write_csv(options, step_table(rows));
  });
  std::cout << cuda_device_name() << "\n" << report::to_terminal(step_table(rows));
  if (options.has("breakdown")) {
    const Table breakdown = breakdown_table(rows);
    if (options.has("csv"))
      write_file(std::filesystem::path(options.get<std::string>("csv")).replace_extension("breakdown.csv"),
                 report::to_csv(breakdown));
    std::cout << "\n" << report::to_terminal(breakdown);
  }
  return 0;
}

}  // namespace

int bench_command(const std::vector<std::string>& arguments) {
  Options options("bench gemm|prologue|step",
                  "Times on a GPU, and says how far from what is possible:\n"
                  "  gemm      products of quantized matrices, whole linears and cuBLASLt's bf16, fp8, int8\n"
                  "  prologue  quantization of inputs with the low-rank down projection\n"
                  "  step      one step of a FLUX.1-dev-sized transformer with random weights, 4608 tokens",
                  "svdlab bench step --only bf16,int4 --csv step.csv");
  options.add()("only", po::value<std::string>()->default_value(""),
                "commas between; gemm, prologue: kinds (copy, gemm, prologue, linear, branch, small_m) and "
                "variants (exact, nvfp4, int4, w8a8, ...); step: models (bf16, fp8, ...)");
  options.add()("csv", po::value<std::string>(), "file for every column of the table");
  options.add()("quick", "one large shape; step: one block of each kind");
  options.add()("runs", po::value<int>()->default_value(15), "step: timed runs behind 3 to warm up");
  options.add()("double", po::value<int64_t>()->default_value(19), "step: double blocks");
  options.add()("single", po::value<int64_t>()->default_value(38), "step: single blocks");
  options.add()("breakdown",
                "step: where the time of an eager step goes, by kind of node; CSV beside the other");
  if (!options.parse(arguments)) return 0;
  const std::string& what = options.word("benchmark: gemm, prologue or step");
  if (what == "gemm") return bench_kernels(options, {"gemm", "linear", "branch", "small_m"});
  if (what == "prologue") return bench_kernels(options, {"prologue"});
  SVDLAB_REQUIRE(what == "step", Errc::kConfig, "no benchmark is called \"", what,
                 "\"; choose gemm, prologue or step");
  return bench_step(options);
}

}  // namespace svdlab
