// Formats and branches of SVDQuant's relatives (stored_parts, stored_linear): written, read back bit for bit,
// counted alike.
#include "core/io/compressed_file.h"
#include "tests/core/io/compressed_unit_samples.h"
#include "tests/quant/weight_problems.h"

namespace svdlab {
namespace {

using testing::compress;
using testing::OutlierGroup;
using testing::TempDir;

class CompressedBranches : public ::testing::TestWithParam<std::string> {};

TEST_P(CompressedBranches, ComeBackFromAFileBitForBit) {
  for (const char* preset : {"rtn", "svdquant"}) {
    SCOPED_TRACE(preset);
    const OutlierGroup g("stored", {32, 16}, 128, "int4", /*tokens=*/64);
    auto c = compress(g.problem, concat("{preset: ", preset, ", ", GetParam(), "}"));
    for (CompressedLinear& linear : c.linears)
      if (!linear.smooth.defined()) linear.smooth_sharers = 1;  // of no transform: not worth storing
    CompressedUnit unit;
    for (const CompressedLinear& linear : c.linears) unit.push_back({linear, "stored", "int4", "test"});
    const TempDir dir;
    write_compressed_index(dir.path(), {.fingerprint = "f00d", .model_class = "Flux", .model_hash = "abc"},
                           {write_compressed_group(dir.path(), unit, "f00d")});
    const CompressedFolder folder(dir.path());
    for (const CompressedLinear& linear : c.linears) {
      const CompressedLinear back = folder.load(linear.name);
      testing::expect_identical_linears(back, linear);
      EXPECT_EQ(folder.linear(linear.name).bits(), linear.bits());
      testing::expect_identical(run_compressed(back, g.x, Execution::kCodes),
                                run_compressed(linear, g.x, Execution::kCodes));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, CompressedBranches,
    ::testing::Values("weights: post", "weights: {post: {bits: 5}}", "weights: {nf: {bits: 3}}",
                      "weights: {nf: {double_quant: true}}", "weights: twin-log", "weights: bilevel",
                      "weights: {gptq: {grid: bilevel}}", "branch: {sparse: {share: 0.02}}",
                      "branch: {sparse: {share: 1}}", "branch: {columns: {threshold: 8}}",
                      "branch: {columns: {threshold: 0}}", "branch: {columns: {threshold: 8, dynamic: true}}",
                      "branch: {kronecker: {terms: 3}}",
                      "weights: {gptq: {grid: bilevel}}, branch: {sparse: {by: spqr, tau: 0.2}}"),
    [](const auto& info) { return "kind" + std::to_string(info.index); });

}  // namespace
}  // namespace svdlab
