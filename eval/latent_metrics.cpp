#include "eval/latent_metrics.h"

#include <cmath>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "eval/picture_pairs.h"
#include "eval/relative_error.h"
#include "eval/sqnr.h"

namespace svdlab {
namespace {

Tensor latents_in(const std::string& path) {
  const SafetensorsFile file(path);
  SVDLAB_REQUIRE(file.entries().count("latents"), Errc::kInput, path, ": no tensor latents in it");
  return file.tensor("latents");
}

void require_comparable(const LatentPair& pair, int64_t steps) {
  SVDLAB_REQUIRE(pair.reference.dim() == 3 && pair.reference.size(0) == steps, Errc::kInput, pair.name,
                 ": latents are ", pair.reference.sizes(), "; they are [", steps, ", tokens, channels] here");
  SVDLAB_REQUIRE(pair.reference.sizes() == pair.candidate.sizes(), Errc::kInput, pair.name, ": latents of ",
                 pair.reference.sizes(), " and ", pair.candidate.sizes(), " cannot be compared");
  for (const Tensor& t : {pair.reference, pair.candidate})
    SVDLAB_REQUIRE(at::isfinite(t).all().item<bool>(), Errc::kInput, pair.name,
                   ": latents hold values that are not finite");
}

std::vector<double> sqnr_after(const std::vector<LatentPair>& pairs, int64_t step) {
  std::vector<double> out;
  for (const LatentPair& p : pairs)
    out.push_back(sqnr_db(p.reference.select(0, step), p.candidate.select(0, step)));
  return out;
}

}  // namespace

Measurements measure_latents(const std::vector<LatentPair>& pairs, const std::string& compared_with) {
  SVDLAB_REQUIRE(!pairs.empty(), Errc::kInput, compared_with, ": no latents to compare");
  const int64_t n = static_cast<int64_t>(pairs.size()), steps = pairs.front().reference.size(0),
                end = steps - 1;
  SqnrAccumulator pooled;
  std::vector<double> relative;
  for (const LatentPair& p : pairs) {
    require_comparable(p, steps);
    pooled.add(p.reference.select(0, end), p.candidate.select(0, end));
    relative.push_back(relative_error(p.reference.select(0, end), p.candidate.select(0, end)));
  }
  Measurements out;
  const std::string by = "20 log10(|x| / |x - y|), mean of each item's dB";
  out.add("latent_sqnr", bootstrap_mean(sqnr_after(pairs, end), "latent_sqnr"), by, compared_with, "dB");
  out.add("latent_sqnr_pooled", {pooled.db(), std::nan(""), std::nan(""), n},
          "the same over all items together", compared_with, "dB");
  out.add("latent_rel_error", bootstrap_mean(relative, "latent_rel_error"), "|x - y| / |x|", compared_with);
  for (int64_t step = 1; step < steps; ++step)
    out.add(concat("trajectory_sqnr_", step), bootstrap_mean(sqnr_after(pairs, step), "trajectory_sqnr"),
            concat(by, ", after step ", step), compared_with, "dB");
  if (steps == 1) out.note("trajectory_sqnr: not measured; the files hold the last step alone");
  return out;
}

std::vector<LatentPair> load_latent_pairs(const std::string& reference, const std::string& candidate,
                                          bool allow_missing) {
  std::vector<LatentPair> out;
  for (const std::string& name : pair_files(reference, candidate, ".safetensors", allow_missing).names)
    out.push_back({name, latents_in(reference + "/" + name), latents_in(candidate + "/" + name)});
  return out;
}

}  // namespace svdlab
