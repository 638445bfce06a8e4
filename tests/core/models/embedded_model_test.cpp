#include <gtest/gtest.h>

#include "core/io/safetensors.h"
#include "core/models/conditioning.h"
#include "core/models/model.h"
#include "core/runtime/executor.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

const std::string kModel = SVDLAB_SOURCE_DIR "/notebooks_data/models/flux-cifar";

TEST(EmbeddedModel, GivesDiffusersOutput) {
  const Model model = load_model(kModel);
  const SafetensorsFile io(SVDLAB_SOURCE_DIR "/tests/golden/flux_cifar_io.st");
  NamedTensors inputs;
  for (const auto& [name, entry] : io.entries())
    if (name.rfind("in.", 0) == 0) inputs[name.substr(3)] = io.tensor(name);
  const Executor executor(model.graph, {.precision = Precision::kFp32});
  testing::expect_close(executor.run(inputs), io.tensor("out"), 1e-5);
}

TEST(EmbeddedModel, HasElevenMillionParametersAndAConditioningTable) {
  const Model model = load_model(kModel);
  EXPECT_NEAR(static_cast<double>(model.graph.parameter_count()), 11.15e6, 0.05e6);
  const Conditioning conditioning = load_conditioning(kModel);
  EXPECT_EQ(conditioning.classes(), 10);
  EXPECT_EQ(conditioning.tokens.size(2), static_cast<int64_t>(model.graph.facts.at("joint_attention_dim")));
}

}  // namespace
}  // namespace svdlab
