#include "experiments/train/train_state.h"

#include <filesystem>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "core/models/conditioning.h"
#include "experiments/train/initial_weights.h"

namespace svdlab {
namespace {

constexpr uint64_t kShardBytes = uint64_t{12} << 20;

std::string state_file(const std::string& folder) { return folder + "/state/state.safetensors"; }
std::string log_file(const std::string& folder) { return folder + "/loss.h5"; }

}  // namespace

Table loss_table(const TrainState& state) {
  return {.name = "/loss",
          .columns = {{"step", "", state.log_step},
                      {"loss", "", state.log_loss},
                      {"learning_rate", "", state.log_rate},
                      {"images_per_second", "1/s", state.log_images_per_second}}};
}

void save_state(const std::string& folder, const TrainState& state, Replica& replica) {
  make_directories(folder + "/state");
  save_safetensors(state_file(folder),
                   {{.name = "weights", .tensor = replica.parameters().flat().cpu()},
                    {.name = "average", .tensor = replica.optimizer().average.cpu()},
                    {.name = "first", .tensor = replica.optimizer().first.cpu()},
                    {.name = "second", .tensor = replica.optimizer().second.cpu()}},
                   {{"step", std::to_string(state.step)}, {"seconds", std::to_string(state.seconds)}});
  Hdf5Writer log(log_file(folder));
  log.table(loss_table(state));
  log.close();
}

TrainState load_state(const std::string& folder, Replica& replica) {
  TrainState state;
  if (!std::filesystem::exists(state_file(folder))) return state;
  const SafetensorsFile file(state_file(folder));
  const auto fill = [&](Tensor& target, const char* name) {
    const Tensor source = file.tensor(name);
    SVDLAB_REQUIRE(source.numel() == target.numel(), Errc::kConfig, state_file(folder), ": ", name, " has ",
                   source.numel(), " values, the configured model has ", target.numel(),
                   "; use another output folder for another model");
    target.copy_(source);
  };
  fill(replica.parameters().flat(), "weights");
  fill(replica.optimizer().average, "average");
  fill(replica.optimizer().first, "first");
  fill(replica.optimizer().second, "second");
  state.step = std::stoll(file.metadata().at("step"));
  state.seconds = std::stod(file.metadata().at("seconds"));
  const Table log = Hdf5Reader(log_file(folder)).table("/loss");
  state.log_step = std::get<std::vector<int64_t>>(log.column("step").values);
  state.log_loss = std::get<std::vector<double>>(log.column("loss").values);
  state.log_rate = std::get<std::vector<double>>(log.column("learning_rate").values);
  state.log_images_per_second = std::get<std::vector<double>>(log.column("images_per_second").values);
  return state;
}

void save_model(const std::string& folder, const TrainConfig& config, const TrainState& state,
                Replica& replica) {
  make_directories(folder);
  std::vector<StWrite> tensors;
  Conditioning conditioning;
  for (const auto& [name, tensor] : replica.parameters().unflatten(replica.optimizer().average.cpu())) {
    if (name == kTokensName) {
      conditioning.tokens = tensor.clone();
    } else if (name == kPooledName) {
      conditioning.pooled = tensor.clone();
    } else {
      tensors.push_back({.name = name, .tensor = tensor.to(at::kBFloat16)});
    }
  }
  save_safetensors_sharded(folder, "diffusion_pytorch_model", tensors, kShardBytes);
  save_conditioning(folder, conditioning);
  write_file(folder + "/sampling.yaml",
             "height: 32\nwidth: 32\nguidance: 1.0\n"
             "classes: [airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck]\n");
  write_file(folder + "/config.json", config.model.canonical_json() + "\n");
  Hdf5Writer log(log_file(folder));
  log.table(loss_table(state));
  log.close();
}

}  // namespace svdlab
