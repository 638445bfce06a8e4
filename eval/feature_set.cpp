#include "eval/feature_set.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "core/runtime/single_thread.h"
#include "eval/measured.h"
#include "eval/picture_pairs.h"

namespace svdlab {
namespace {

bool finite(const Tensor& t) { return at::isfinite(t).all().item<bool>(); }

FeatureSet set_of(const std::string& source, const Tensor& features) {
  const SingleThreadScope one;
  const Tensor x = features.to(at::kDouble).contiguous();
  return {source, x, feature_stats(x), x.size(0)};
}

// numpy's covariance of D features is symmetric and has no negative variance.
void require_covariance(const Tensor& sigma, const std::string& npz) {
  const double largest = sigma.abs().max().item<double>();
  const double skew = (sigma - sigma.t()).abs().max().item<double>();
  SVDLAB_REQUIRE(skew <= 1e-6 * largest && sigma.diagonal().min().item<double>() >= 0, Errc::kInput, npz,
                 ": sigma is no covariance: it differs from its transpose by ", skew, " of ", largest,
                 ", and its least variance is ", sigma.diagonal().min().item<double>());
}

int64_t count_in(const NpzFile& file, const std::string& npz) {
  if (!file.has("n")) return 0;
  const Tensor n = file.tensor("n");
  SVDLAB_REQUIRE(n.numel() == 1 && n.item<double>() >= 2, Errc::kInput, npz, ": n is ", n.sizes(),
                 "; it is one number of pictures, at least 2");
  return static_cast<int64_t>(n.item<double>());
}

}  // namespace

FeatureSet feature_set(const std::string& source, const std::string& network,
                       const std::vector<std::string>& names, const std::vector<Tensor>& rows) {
  SVDLAB_REQUIRE(rows.size() >= 2, Errc::kInput, source, ": ", rows.size(),
                 " pictures; statistics of features take at least 2");
  std::vector<std::string> bad;
  for (size_t i = 0; i < rows.size(); ++i) {
    SVDLAB_REQUIRE(rows[i].sizes() == rows[0].sizes(), Errc::kInput, source, ": ", network, " gives ",
                   rows[0].numel(), " features for ", names[0], " and ", rows[i].numel(), " for ", names[i]);
    if (!finite(rows[i])) bad.push_back(names[i]);
  }
  SVDLAB_REQUIRE(bad.empty(), Errc::kInput, source, ": the features of ", bad.size(), " of ", rows.size(),
                 " pictures under ", network, " are not finite: ", first_names(bad));
  return set_of(source, at::stack(rows));
}

FeatureSet feature_set(const std::string& folder, const FeatureNetwork& network, int threads) {
  const std::vector<std::string> names = pictures_of(folder);
  std::vector<Tensor> rows(names.size());
  parallel_for(static_cast<int64_t>(names.size()), threads, [&](int64_t i, int) {
    const SingleThreadScope one;
    const Image picture = read_png(folder + "/" + names[i]);
    try {
      rows[i] = network.features(picture).values;
    } catch (const Error& e) {
      throw Error(e.code(), concat(folder, "/", names[i], ": ", e.what()));
    }
  });
  return feature_set(folder, network.name(), names, rows);
}

FeatureSet load_feature_set(const std::string& npz) {
  const NpzFile file(npz);
  if (file.has("feats") && !file.has("mu")) {
    const Tensor features = file.tensor("feats");
    SVDLAB_REQUIRE(features.dim() == 2 && features.size(0) >= 2 && features.size(1) >= 1, Errc::kInput, npz,
                   ": feats is ", features.sizes(), "; it takes [n, D] with n of at least 2");
    SVDLAB_REQUIRE(finite(features), Errc::kInput, npz, ": feats holds values that are not finite");
    return set_of(npz, features);
  }
  FeatureSet set{npz,
                 {},
                 {file.tensor("mu").to(at::kDouble), file.tensor("sigma").to(at::kDouble)},
                 count_in(file, npz)};
  const Tensor &mu = set.stats.mean, &sigma = set.stats.covariance;
  const bool ok =
      mu.dim() == 1 && mu.numel() > 0 && sigma.sizes() == at::IntArrayRef({mu.numel(), mu.numel()});
  SVDLAB_REQUIRE(ok, Errc::kInput, npz, ": mu is ", mu.sizes(), " and sigma ", sigma.sizes(),
                 "; statistics of features are [D] and [D, D]");
  SVDLAB_REQUIRE(finite(mu) && finite(sigma), Errc::kInput, npz,
                 ": mu or sigma holds values that are not finite");
  require_covariance(sigma, npz);
  if (!file.has("feats")) return set;
  set.features = file.tensor("feats").to(at::kDouble);
  const bool fits =
      set.features.dim() == 2 && set.features.size(1) == mu.numel() && set.features.size(0) >= 2;
  SVDLAB_REQUIRE(fits && finite(set.features), Errc::kInput, npz, ": feats is ", set.features.sizes(),
                 " beside a mu of ", mu.sizes(), "; it takes finite values [n, D]");
  set.n = set.features.size(0);
  return set;
}

void save_feature_set(const std::string& npz, const FeatureSet& set) {
  std::vector<std::pair<std::string, Tensor>> arrays = {{"mu", set.stats.mean},
                                                        {"sigma", set.stats.covariance}};
  if (set.n > 0) arrays.emplace_back("n", at::tensor(set.n, at::kLong).squeeze());
  if (set.features.defined()) arrays.emplace_back("feats", set.features);
  save_npz(npz, arrays);
}

}  // namespace svdlab
