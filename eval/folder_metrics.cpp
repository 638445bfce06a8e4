#include "eval/folder_metrics.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/runtime/single_thread.h"
#include "eval/ms_ssim.h"
#include "eval/picture_check.h"
#include "eval/psnr.h"
#include "eval/set_metrics.h"
#include "eval/ssim.h"
#include "eval/ssim_sk.h"

namespace svdlab {
namespace {

struct Pair {
  int width = 0, height = 0;
  double psnr = 0, squared_error = 0, ssim_tm = 0, ssim_sk = 0, ms_ssim = 0, lpips = 0;
  PictureFeatures reference, candidate;
};

bool large_enough(const Pair& p) { return std::min(p.width, p.height) >= kMsSsimLeastSide; }

Pair measured_pair(const Image& a, const Image& b, const FolderMeasurement& how) {
  Pair p{.width = a.width, .height = a.height};
  p.squared_error = mean_squared_error(a, b);
  p.psnr = psnr_of(p.squared_error);
  const SsimScales scales = large_enough(p) ? ssim_scales(a, b) : SsimScales{.ssim_tm = ssim_tm(a, b)};
  p.ssim_tm = scales.ssim_tm, p.ms_ssim = scales.ms_ssim, p.ssim_sk = ssim_sk(a, b);
  if (how.lpips && how.lpips->takes(a.width, a.height)) p.lpips = how.lpips->distance(a, b);
  if (how.network) p.reference = how.network->features(a), p.candidate = how.network->features(b);
  return p;
}

std::vector<Pair> measured_pairs(const PicturePairs& pairs, const FolderMeasurement& how) {
  std::vector<Pair> out(pairs.names.size());
  parallel_for(static_cast<int64_t>(out.size()), how.threads, [&](int64_t i, int) {
    const SingleThreadScope one;
    const std::string& name = pairs.names[i];
    const Image a = read_png(pairs.reference + "/" + name), b = read_png(pairs.candidate + "/" + name);
    try {
      out[i] = measured_pair(a, b, how);
    } catch (const Error& e) {
      throw Error(e.code(), concat(name, ": ", e.what()));
    }
  });
  return out;
}

class Collector {
 public:
  Collector(const PicturePairs& names, const std::vector<Pair>& pairs, Measurements& out)
      : names_(names), pairs_(pairs), out_(out) {}

  void add(const std::string& metric, const Interval& interval, const std::string& implementation,
           const std::string& unit = "") {
    out_.add(metric, interval, implementation, names_.reference, unit);
  }
  void add_mean(const std::string& metric, double Pair::*value, const std::string& implementation,
                const std::string& unit = "") {
    std::vector<double> items;
    for (const Pair& p : pairs_) items.push_back(p.*value);
    add(metric, bootstrap_mean(items, metric), implementation, unit);
  }
  // The same if every picture is `fit`; else a note that names the first one that is not.
  template <class Fit>
  void add_mean_if(const Fit& fit, const std::string& why, const std::string& metric, double Pair::*value,
                   const std::string& implementation) {
    const auto bad = std::find_if_not(pairs_.begin(), pairs_.end(), fit);
    if (bad == pairs_.end()) return add_mean(metric, value, implementation);
    out_.note(concat(metric, ": not measured; ", names_.names[bad - pairs_.begin()], " is ", bad->width,
                     " x ", bad->height, ", ", why));
  }

 private:
  const PicturePairs& names_;
  const std::vector<Pair>& pairs_;
  Measurements& out_;
};

void add_psnr(const std::vector<Pair>& pairs, Collector& to) {
  to.add_mean("psnr_mean", &Pair::psnr, "mean of each picture's dB, range 255 (torchmetrics, dim=(1,2,3))",
              "dB");
  const Pair& first = pairs.front();
  std::vector<double> errors;
  double sum = 0, pixels = 0;
  for (const Pair& p : pairs) {
    const double size = static_cast<double>(p.width) * p.height;
    errors.push_back(p.squared_error);
    sum += p.squared_error * size, pixels += size;
  }
  Interval pooled = bootstrap_mean(errors, "psnr_pooled");
  // The larger error is the smaller ratio. Pictures of several sizes do not weigh alike: no interval then.
  const bool alike = std::all_of(pairs.begin(), pairs.end(), [&](const Pair& p) {
    return p.width == first.width && p.height == first.height;
  });
  pooled = {psnr_of(sum / pixels), alike ? psnr_of(pooled.hi) : std::nan(""),
            alike ? psnr_of(pooled.lo) : std::nan(""), pooled.n};
  to.add("psnr_pooled", pooled, "dB of the error over all pixels, range 255", "dB");
}

void add_ssim(Collector& to) {
  to.add_mean("ssim_tm", &Pair::ssim_tm, "torchmetrics >= 1.4.2, Gaussian 11 x 11");
  to.add_mean("ssim_sk", &Pair::ssim_sk, "scikit-image default, uniform 7 x 7");
  to.add_mean_if(large_enough, concat("five scales take sides of at least ", kMsSsimLeastSide), "ms_ssim",
                 &Pair::ms_ssim, "torchmetrics, 5 scales, relu");
}

void add_class_agreement(const std::vector<Pair>& pairs, const std::string& network, Collector& to) {
  if (pairs.front().reference.label < 0) return;
  std::vector<double> same;
  for (const Pair& p : pairs) same.push_back(p.reference.label == p.candidate.label ? 1 : 0);
  to.add("class_agreement", bootstrap_mean(same, "class_agreement"), network);
}

void add_network_metrics(const PicturePairs& names, const std::vector<Pair>& pairs,
                         const std::string& network, Measurements& out) {
  if (pairs.size() < 2)
    return out.note("frechet, kid, precision, recall: not measured; one pair, they take several");
  std::vector<Tensor> a, b;
  for (const Pair& p : pairs) a.push_back(p.reference.values), b.push_back(p.candidate.values);
  add_set_metrics(feature_set(names.reference, network, names.names, a),
                  feature_set(names.candidate, network, names.names, b), /*paired=*/true, network, out);
}

}  // namespace

Measurements measure_folders(const PicturePairs& names, const FolderMeasurement& how) {
  Measurements out;
  for (const std::string& folder : {names.reference, names.candidate})
    for (const std::string& note : check_pictures(folder, names.names)) out.note(note);
  const std::vector<Pair> pairs = measured_pairs(names, how);
  Collector to(names, pairs, out);
  add_psnr(pairs, to);
  add_ssim(to);
  if (how.lpips)
    to.add_mean_if([&](const Pair& p) { return how.lpips->takes(p.width, p.height); },
                   "too small for its network", "lpips", &Pair::lpips, how.lpips->name());
  if (!how.network) return out;
  add_network_metrics(names, pairs, how.network->name(), out);
  add_class_agreement(pairs, how.network->name(), to);
  return out;
}

}  // namespace svdlab
