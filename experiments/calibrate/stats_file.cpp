#include "experiments/calibrate/stats_file.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/io/files.h"
#include "core/io/mapped_file.h"
#include "core/io/safetensors_torch.h"
#include "experiments/calibrate/fisher_file.h"

namespace svdlab {
namespace {

const std::string kTokens = ".tokens", kUpper = ".upper";
constexpr uint64_t kSampleEvery = uint64_t{16} << 20, kSampleBytes = uint64_t{64} << 10,
                   kSampledHead = uint64_t{4} << 20;

/// Name and tensor of each stored field, so that writing and reading cannot drift apart.
template <class Stats, class Visit>
void for_each_field(Stats& s, const Visit& visit) {
  visit("absmax", s.absmax, at::kFloat);
  visit("min", s.min, at::kFloat);
  visit("max", s.max, at::kFloat);
  visit("sum", s.sum, at::kDouble);
  visit("gram", s.gram, at::kDouble);
  visit("reservoir", s.reservoir, at::kFloat);
  visit("keys", s.keys, at::kLong);
}

std::string range_name(const std::string& group, size_t range) { return concat(group, '@', range); }

// All fields of the statistics of one group or range but gradients.
void append_sums(const std::string& name, const ActivationStats& s, std::vector<StWrite>& tensors) {
  tensors.push_back(
      {.name = name + kTokens, .tensor = at::tensor(std::vector<int64_t>{s.tokens, s.capacity})});
  for_each_field(s, [&](const char* field, const Tensor& t, at::ScalarType) {
    tensors.push_back({.name = name + "." + field, .tensor = t});
  });
}

std::string metadata_of(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

}  // namespace

void save_stats(const std::string& path, const StatsMap& stats, const std::string& fingerprint,
                const std::string& model_sha256) {
  std::vector<StWrite> tensors;
  for (const auto& [group, s] : stats) {
    append_sums(group, s, tensors);
    for (size_t i = 0; i < s.ranges.size(); ++i) {
      append_sums(range_name(group, i), s.ranges[i].stats, tensors);
      tensors.push_back(
          {.name = range_name(group, i) + kUpper, .tensor = at::full({1}, s.ranges[i].upper, at::kDouble)});
    }
    append_fisher(group, s, tensors);
  }
  std::map<std::string, std::string> metadata{{"fingerprint", fingerprint}};
  if (!model_sha256.empty()) metadata["model_sha256"] = model_sha256;
  save_safetensors(path, tensors, metadata);
}

StatsFile::StatsFile(const std::string& path) : file_(path) {
  fingerprint_ = metadata_of(file_, "fingerprint");
  model_sha256_ = metadata_of(file_, "model_sha256");
  if (model_sha256_.empty()) model_sha256_ = fingerprint_;
  for (const auto& [key, entry] : file_.entries())
    if (key.size() > kTokens.size() && key.ends_with(kTokens) && key.find('@') == std::string::npos) {
      const std::string group = key.substr(0, key.size() - kTokens.size());
      channels_[group] = checked_channels(group);
    }
  for (const auto& [group, channels] : channels_)
    while (file_.entries().count(range_name(group, ranges_[group]) + kUpper)) {
      const std::string range = range_name(group, ranges_[group]++);
      const StEntry& upper = file_.entries().at(range + kUpper);
      SVDLAB_REQUIRE(checked_channels(range) == channels && upper.dtype == StDtype::kF64 &&
                         upper.shape == std::vector<int64_t>{1},
                     Errc::kInput, path, ": \"", range, "\" must have ", channels,
                     " channels and .upper [1] float64; make the statistics again");
    }
  fisher_ = fisher_linears(file_, channels_);
}

// By the header alone: a tensor that is not aligned would be copied.
int64_t StatsFile::checked_channels(const std::string& group) const {
  const auto entry = [&](const std::string& field) -> const StEntry& {
    const auto found = file_.entries().find(group + field);
    SVDLAB_REQUIRE(found != file_.entries().end(), Errc::kInput, path(), ": \"", group, field,
                   "\" is missing; make the statistics again");
    return found->second;
  };
  const auto length = [&](const std::string& field) {
    return entry(field).shape.size() == 1 ? entry(field).shape[0] : int64_t{0};
  };
  const int64_t k = length(".absmax"), kept = length(".keys");
  const std::map<std::string, std::vector<int64_t>> shapes = {
      {"gram", {k, k}}, {"reservoir", {kept, k}}, {"keys", {kept}}};
  SVDLAB_REQUIRE(k > 0 && length(kTokens) == 2 && entry(kTokens).dtype == StDtype::kI64, Errc::kInput, path(),
                 ": \"", group, "\" must have .absmax [K] and .tokens [2] int64; make the statistics again");
  ActivationStats s;
  for_each_field(s, [&](const std::string& field, const Tensor&, at::ScalarType type) {
    const auto known = shapes.find(field);
    const std::vector<int64_t> shape = known == shapes.end() ? std::vector<int64_t>{k} : known->second;
    const StEntry& e = entry("." + field);
    SVDLAB_REQUIRE(e.shape == shape && e.dtype == *dtype_of(type), Errc::kInput, path(), ": \"", group, ".",
                   field, "\" is ", to_string(e.dtype), " ", at::IntArrayRef(e.shape), ", must be ",
                   to_string(*dtype_of(type)), " ", at::IntArrayRef(shape), "; make the statistics again");
  });
  return k;
}

ActivationStats StatsFile::load_sums(const std::string& group) const {
  ActivationStats s;
  const Tensor counts = file_.tensor(group + kTokens);
  s.tokens = counts[0].item<int64_t>();
  s.capacity = counts[1].item<int64_t>();
  for_each_field(
      s, [&](const char* field, Tensor& t, at::ScalarType) { t = file_.tensor(concat(group, ".", field)); });
  return s;
}

ActivationStats StatsFile::load(const std::string& group) const {
  SVDLAB_REQUIRE(channels_.count(group), Errc::kInput, path(), ": no statistics of group ", group);
  ActivationStats s = load_sums(group);
  for (size_t i = 0; i < ranges_.at(group); ++i) {
    const std::string range = range_name(group, i);
    s.ranges.push_back({file_.tensor(range + kUpper).item<double>(), load_sums(range)});
  }
  if (const auto found = fisher_.find(group); found != fisher_.end())
    for (const std::string& linear : found->second) s.fisher[linear] = load_fisher(file_, group, linear);
  return s;
}

int64_t StatsFile::most_ranges() const {
  size_t most = 0;
  for (const auto& [group, count] : ranges_) most = std::max(most, count);
  return static_cast<int64_t>(most);
}

bool StatsFile::has_gradients(const std::string& group, const std::string& linear,
                              FisherDetail detail) const {
  if (detail == FisherDetail::kNone) return true;
  const auto found = fisher_.find(group);
  const bool means = found != fisher_.end() &&
                     std::find(found->second.begin(), found->second.end(), linear) != found->second.end();
  return means && (detail == FisherDetail::kMeans || load_fisher(file_, group, linear).full.defined());
}

void StatsFile::drop(const std::string& group) const {
  for (const std::string& prefix : {group + ".", group + "@"})
    for (auto entry = file_.entries().lower_bound(prefix);
         entry != file_.entries().end() && entry->first.starts_with(prefix); ++entry)
      drop_mapped_pages(entry->second.data, entry->second.bytes);
}

std::string sampled_sha256(const std::string& path) {
  const MappedFile file = map_file(path);
  const char* bytes = static_cast<const char*>(file.memory.get());
  std::string sample = concat(file.size, ":");
  sample.append(bytes, std::min(kSampledHead, file.size));
  for (uint64_t at = kSampledHead; at < file.size; at += kSampleEvery)
    sample.append(bytes + at, std::min(kSampleBytes, file.size - at));
  if (file.size > kSampleBytes) sample.append(bytes + file.size - kSampleBytes, kSampleBytes);
  return sha256(sample);
}

StoredStats load_stats(const std::string& path) {
  const StatsFile file(path);
  StoredStats out{.stats = {}, .fingerprint = file.fingerprint()};
  for (const auto& [group, channels] : file.channels()) out.stats[group] = file.load(group);
  return out;
}

}  // namespace svdlab
