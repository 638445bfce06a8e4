#include "experiments/calibrate/fisher_file.h"

#include "core/base/error.h"

namespace svdlab {
namespace {

const std::string kMark = ".fisher.", kRows = ".rows";

std::string prefix_of(const std::string& group, const std::string& linear) { return group + kMark + linear; }

void require_tensor(const SafetensorsFile& file, const std::string& name, StDtype dtype,
                    const std::vector<int64_t>& shape) {
  const auto found = file.entries().find(name);
  SVDLAB_REQUIRE(found != file.entries().end(), Errc::kInput, file.path(), ": \"", name,
                 "\" is missing; make the statistics again");
  const StEntry& e = found->second;
  SVDLAB_REQUIRE(e.dtype == dtype && e.shape == shape, Errc::kInput, file.path(), ": \"", name, "\" is ",
                 to_string(e.dtype), " ", at::IntArrayRef(e.shape), ", must be ", to_string(dtype), " ",
                 at::IntArrayRef(shape), "; make the statistics again");
}

void check_linear(const SafetensorsFile& file, const std::string& prefix, int64_t channels) {
  const StEntry& rows = file.entries().at(prefix + kRows);
  const int64_t out = rows.shape.size() == 1 ? rows.shape[0] : 0;
  require_tensor(file, prefix + kRows, StDtype::kF64, {out});
  require_tensor(file, prefix + ".cols", StDtype::kF64, {channels});
  require_tensor(file, prefix + ".samples", StDtype::kI64, {1});
  if (file.entries().count(prefix + ".full"))
    require_tensor(file, prefix + ".full", StDtype::kF64, {out, channels});
}

}  // namespace

void append_fisher(const std::string& group, const ActivationStats& stats, std::vector<StWrite>& tensors) {
  for (const auto& [linear, f] : stats.fisher) {
    const std::string prefix = prefix_of(group, linear);
    tensors.push_back({.name = prefix + kRows, .tensor = f.rows});
    tensors.push_back({.name = prefix + ".cols", .tensor = f.cols});
    tensors.push_back({.name = prefix + ".samples", .tensor = at::tensor(std::vector<int64_t>{f.samples})});
    if (f.full.defined()) tensors.push_back({.name = prefix + ".full", .tensor = f.full});
  }
}

std::map<std::string, std::vector<std::string>> fisher_linears(
    const SafetensorsFile& file, const std::map<std::string, int64_t>& channels) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& [key, entry] : file.entries()) {
    const size_t mark = key.find(kMark);
    if (mark == std::string::npos || !key.ends_with(kRows)) continue;
    const std::string group = key.substr(0, mark), prefix = key.substr(0, key.size() - kRows.size());
    const auto known = channels.find(group);
    SVDLAB_REQUIRE(known != channels.end(), Errc::kInput, file.path(), ": \"", key,
                   "\" belongs to no group of the file; make the statistics again");
    check_linear(file, prefix, known->second);
    out[group].push_back(prefix.substr(mark + kMark.size()));
  }
  return out;
}

WeightFisher load_fisher(const SafetensorsFile& file, const std::string& group, const std::string& linear) {
  const std::string prefix = prefix_of(group, linear);
  WeightFisher f{.samples = file.tensor(prefix + ".samples")[0].item<int64_t>(),
                 .rows = file.tensor(prefix + kRows),
                 .cols = file.tensor(prefix + ".cols")};
  if (file.entries().count(prefix + ".full")) f.full = file.tensor(prefix + ".full");
  return f;
}

}  // namespace svdlab
