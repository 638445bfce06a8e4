#include "experiments/compare/gate.h"

#include <gtest/gtest.h>

#include "core/io/yaml.h"
#include "tests/support/errors.h"

namespace svdlab {
namespace {

std::vector<Gate> gates(const std::string& yaml) { return parse_gates(parse_yaml(yaml, "gates.yaml")); }

TEST(Gate, EveryKeyIsReadAndPrintedBack) {
  const auto list = gates(
      "- {table: layers, metric: output_sqnr_db, max_drop: 0.1}\n"
      "- {table: /trajectory, metric: latent_rel_error, max_rise: 2%, cell: int4/*, step: 3}\n"
      "- {table: samples, metric: psnr_db, max_drop: 0.5, paired: true}\n"
      "- {table: cells, metric: rank, max_change: 0}\n"
      "- {table: samples, metric: png_sha256, exact: true}\n"
      "- {table: layers, exact: true, role: ff_*}\n");
  const std::vector<std::string> expected = {"layers output_sqnr_db max_drop 0.1",
                                             "trajectory latent_rel_error max_rise 2%, cell=int4/*, step=3",
                                             "samples psnr_db max_drop 0.5 paired",
                                             "cells rank max_change 0",
                                             "samples png_sha256 exact",
                                             "layers exact, role=ff_*"};
  ASSERT_EQ(list.size(), expected.size());
  for (size_t i = 0; i < list.size(); ++i) EXPECT_EQ(gate_text(list[i]), expected[i]);
  EXPECT_DOUBLE_EQ(list[1].bound, 0.02);
  EXPECT_TRUE(list[1].relative);
  EXPECT_EQ(list[1].table, "/trajectory");
}

struct Refused {
  std::string yaml;
  std::vector<std::string> parts;
};

TEST(Gate, RefusesWhatItCannotMeanWithTheNearestName) {
  const std::vector<Refused> cases = {
      {"[]", {"gates.yaml", "list"}},
      {"{table: layers}", {"list"}},
      {"- {table: layer, metric: ssim, max_drop: 1}", {"layer", "nearest: \"layers\""}},
      {"- {table: layers, metric: output_sqnr, max_drop: 1}", {"output_sqnr", "nearest: \"output_sqnr_db\""}},
      {"- {table: layers, metric: seconds, max_change: 1}", {"no metric \"seconds\""}},
      {"- {table: layers, metric: output_sqnr_db}", {"max_drop"}},
      {"- {table: layers, metric: output_sqnr_db, max_drp: 1}", {"max_drop"}},
      {"- {table: layers, metric: output_sqnr_db, max_drop: 1, max_change: 1}", {"one limit"}},
      {"- {table: layers, metric: output_sqnr_db, max_drop: 1, exact: true}", {"one of"}},
      {"- {table: layers, metric: output_sqnr_db, max_drop: -1}", {"max_drop", "-1"}},
      {"- {table: layers, metric: output_sqnr_db, max_drop: x%}", {"max_drop", "x"}},
      {"- {table: layers, metric: output_sqnr_db, max_drop: .inf}", {"max_drop"}},
      {"- {table: layers, metric: output_sqnr_db, max_rise: 1}", {"higher is better", "max_drop"}},
      {"- {table: layers, metric: output_rel_error, max_drop: 1}", {"lower is better", "max_rise"}},
      {"- {table: spectra, metric: before, max_drop: 1}", {"neither", "max_change"}},
      {"- {table: layers, metric: output_sqnr_db, max_drop: 1, paired: true}",
       {"paired", "samples", "layers"}},
      {"- {table: samples, metric: psnr_db, exact: true, paired: true}", {"exclude"}},
      {"- {table: samples, metric: png_sha256, max_change: 1}", {"text", "exact"}},
      {"- {table: trajectory, metric: latent_rel_error, max_rise: 1, layer: x}", {"layer"}},
  };
  for (const Refused& c : cases)
    EXPECT_TRUE(testing::throws_error([&] { gates(c.yaml); }, Errc::kConfig, c.parts)) << c.yaml;
}

TEST(Gate, KnowsWhichWayIsBetter) {
  for (const char* m : {"output_sqnr_db", "psnr_db", "ssim", "output_cosine"})
    EXPECT_EQ(better_direction(m), Direction::kHigher) << m;
  for (const char* m : {"output_rel_error", "bits_per_weight", "residual_energy", "error"})
    EXPECT_EQ(better_direction(m), Direction::kLower) << m;
  for (const char* m : {"rank", "n", "sigma", "total_energy"})
    EXPECT_EQ(better_direction(m), Direction::kNone) << m;
}

}  // namespace
}  // namespace svdlab
