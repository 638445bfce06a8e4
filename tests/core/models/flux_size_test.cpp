#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "core/io/files.h"
#include "core/models/flux.h"
#include "core/models/model.h"
#include "tests/support/support.h"

namespace svdlab {
namespace {

/// The safetensors header of a whole FLUX.1-dev in bf16, and how many bytes of data it describes.
std::pair<std::string, uint64_t> flux_dev_header(const FluxConfig& config) {
  std::string json = "{";
  uint64_t offset = 0;
  build_flux(config, [&](const std::string& name, at::IntArrayRef shape) {
    uint64_t elements = 1;
    std::string dims;
    for (const int64_t d : shape) {
      elements *= static_cast<uint64_t>(d);
      dims += (dims.empty() ? "" : ",") + std::to_string(d);
    }
    json += (json.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"BF16\",\"shape\":[" + dims +
            "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + 2 * elements) +
            "]}";
    offset += 2 * elements;
    return at::empty({1}, at::kFloat).expand(shape);
  });
  return {json + "}", offset};
}

int64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      int64_t kib = 0;
      status >> kib;
      return kib;
    }
  return -1;
}

// The file is sparse: 24 GB of weights that take no disk, and must take no memory to open.
TEST(FluxSize, ATwentyFourGigabyteCheckpointOpensWithoutBeingRead) {
  const FluxConfig config{.guidance_embeds = true};
  const testing::TempDir folder;
  write_file(folder.file("config.json"),
             "{\"_class_name\": \"FluxTransformer2DModel\", \"guidance_embeds\": true}");
  const auto [json, bytes] = flux_dev_header(config);
  EXPECT_GT(bytes, 23500000000u);
  const std::string path = folder.file("diffusion_pytorch_model.safetensors");
  const uint64_t length = json.size();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&length), 8) << json;
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(8 + json.size() + bytes)), 0);
  const int64_t before = resident_kib();
  const Model model = load_model(folder.path());
  EXPECT_EQ(model.graph.parameter_count(), static_cast<int64_t>(bytes / 2));
  EXPECT_EQ(model.graph.groups.size(), 19u * 8 + 38u * 2 + 1 + 6 + 4);
  EXPECT_LT(resident_kib() - before, 100 * 1024);
}

}  // namespace
}  // namespace svdlab
