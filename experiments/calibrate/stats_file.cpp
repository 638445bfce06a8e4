#include "experiments/calibrate/stats_file.h"

#include "core/base/error.h"
#include "core/io/safetensors.h"

namespace svdlab {
namespace {

/// Name and tensor of each stored field, so that writing and reading cannot drift apart.
template <class Stats, class Visit>
void for_each_field(Stats& s, const Visit& visit) {
  visit("absmax", s.absmax);
  visit("min", s.min);
  visit("max", s.max);
  visit("sum", s.sum);
  visit("gram", s.gram);
  visit("reservoir", s.reservoir);
  visit("keys", s.keys);
}

}  // namespace

void save_stats(const std::string& path, const StatsMap& stats, const std::string& fingerprint) {
  std::vector<StWrite> tensors;
  for (const auto& [group, s] : stats) {
    tensors.push_back(
        {.name = group + ".tokens", .tensor = at::tensor(std::vector<int64_t>{s.tokens, s.capacity})});
    for_each_field(s, [&](const char* field, const Tensor& t) {
      tensors.push_back({.name = group + "." + field, .tensor = t});
    });
  }
  save_safetensors(path, tensors, {{"fingerprint", fingerprint}});
}

StoredStats load_stats(const std::string& path) {
  const SafetensorsFile file(path);
  StoredStats out;
  if (const auto found = file.metadata().find("fingerprint"); found != file.metadata().end())
    out.fingerprint = found->second;
  const std::string tail = ".tokens";
  for (const auto& [key, entry] : file.entries()) {
    if (key.size() <= tail.size() || key.compare(key.size() - tail.size(), tail.size(), tail) != 0) continue;
    const std::string group = key.substr(0, key.size() - tail.size());
    ActivationStats& s = out.stats[group];
    const Tensor counts = file.tensor(key);
    SVDLAB_REQUIRE(counts.numel() == 2, Errc::kInput, path, ": \"", key, "\" must hold tokens and capacity");
    s.tokens = counts[0].item<int64_t>();
    s.capacity = counts[1].item<int64_t>();
    for_each_field(s, [&](const char* field, Tensor& t) {
      SVDLAB_REQUIRE(file.entries().count(group + "." + field), Errc::kInput, path, ": \"", group, ".", field,
                     "\" is missing; make the statistics again");
      t = file.tensor(group + "." + field);
    });
    const int64_t k = s.absmax.numel();
    SVDLAB_REQUIRE(s.gram.numel() == k * k && s.reservoir.dim() == 2 && s.reservoir.size(1) == k &&
                       s.keys.numel() == s.reservoir.size(0),
                   Errc::kInput, path, ": statistics of ", group, " do not fit together; make them again");
  }
  return out;
}

}  // namespace svdlab
