#include "eval/folder_metrics.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/runtime/single_thread.h"
#include "eval/frechet_interval.h"
#include "eval/kid.h"
#include "eval/ms_ssim.h"
#include "eval/precision_recall.h"
#include "eval/psnr.h"
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
  p.ssim_tm = ssim_tm(a, b), p.ssim_sk = ssim_sk(a, b);
  if (large_enough(p)) p.ms_ssim = ms_ssim(a, b);
  if (how.lpips) p.lpips = how.lpips->distance(a, b);
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
  Collector(const std::vector<Pair>& pairs, FolderMetrics& out) : pairs_(pairs), out_(out) {}

  void add(const std::string& metric, const Interval& interval, const std::string& implementation,
           const std::string& unit = "") {
    out_.values.push_back({metric, unit, interval, implementation});
  }
  void add_mean(const std::string& metric, double Pair::*value, const std::string& implementation,
                const std::string& unit = "") {
    std::vector<double> items;
    for (const Pair& p : pairs_) items.push_back(p.*value);
    add(metric, bootstrap_mean(items, metric), implementation, unit);
  }
  void note(const std::string& text) { out_.notes.push_back(text); }

 private:
  const std::vector<Pair>& pairs_;
  FolderMetrics& out_;
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

void add_ssim(const PicturePairs& names, const std::vector<Pair>& pairs, Collector& to) {
  to.add_mean("ssim_tm", &Pair::ssim_tm, "torchmetrics >= 1.4.2, Gaussian 11 x 11");
  to.add_mean("ssim_sk", &Pair::ssim_sk, "scikit-image default, uniform 7 x 7");
  const auto small = std::find_if_not(pairs.begin(), pairs.end(), large_enough);
  if (small == pairs.end())
    to.add_mean("ms_ssim", &Pair::ms_ssim, "torchmetrics, 5 scales, relu");
  else
    to.note(concat("ms_ssim: not measured; ", names.names[small - pairs.begin()], " is ", small->width, " x ",
                   small->height, ", five scales take sides of at least ", kMsSsimLeastSide));
}

void add_class_agreement(const std::vector<Pair>& pairs, const std::string& network, Collector& to) {
  if (pairs.front().reference.label < 0) return;
  std::vector<double> same;
  for (const Pair& p : pairs) same.push_back(p.reference.label == p.candidate.label ? 1 : 0);
  to.add("class_agreement", bootstrap_mean(same, "class_agreement"), network);
}

void add_set_metrics(const std::vector<Pair>& pairs, const std::string& network, Collector& to) {
  constexpr int64_t kNeighbours = 3;
  const auto n = static_cast<int64_t>(pairs.size());
  if (n <= kNeighbours)
    return to.note(concat("frechet, kid, precision, recall: not measured; ", n, " pairs, they take at least ",
                          kNeighbours + 1));
  std::vector<Tensor> rows_a, rows_b;
  for (const Pair& p : pairs) rows_a.push_back(p.reference.values), rows_b.push_back(p.candidate.values);
  const SingleThreadScope one;
  const Tensor a = at::stack(rows_a), b = at::stack(rows_b);
  to.add("frechet", frechet_interval(a, b, "frechet"), network);
  to.add("kid", kid(a, b, {.paired = true}),
         concat(network, ", 100 subsets of ", std::min<int64_t>(n / 2, 1000), ", sides of different items"));
  const PrecisionRecall manifold = precision_recall(a, b, kNeighbours);
  const std::string neighbours = concat(network, ", k = ", kNeighbours);
  to.add("precision", manifold.precision, neighbours);
  to.add("recall", manifold.recall, neighbours);
  to.note("precision, recall: near 1 as long as each picture stays near its partner");
  if (n < 4 * a.size(1))
    to.note(concat("frechet: ", n, " pictures are few for ", a.size(1),
                   " features; compare only with values of the same n"));
}

}  // namespace

FolderMetrics measure_folders(const PicturePairs& names, const FolderMeasurement& how) {
  const std::vector<Pair> pairs = measured_pairs(names, how);
  FolderMetrics out;
  Collector to(pairs, out);
  add_psnr(pairs, to);
  add_ssim(names, pairs, to);
  if (how.lpips) to.add_mean("lpips", &Pair::lpips, how.lpips->name());
  if (!how.network) return out;
  add_set_metrics(pairs, how.network->name(), to);
  add_class_agreement(pairs, how.network->name(), to);
  return out;
}

}  // namespace svdlab
