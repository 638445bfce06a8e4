#include <cmath>
#include <limits>

#include "quant/extra_branch.h"
#include "quant/keep_mask.h"
#include "quant/weight_importance.h"

namespace svdlab {
namespace {

// The elements of `w` under `mask`, in 16 bit.
SparseBranch sparse_of(const Tensor& w, const Tensor& mask) {
  const Tensor places = mask.nonzero();  // row by row
  const Tensor rows = places.select(1, 0), columns = places.select(1, 1).contiguous();
  const Tensor starts = at::zeros({w.size(0) + 1}, at::kLong);
  starts.slice(0, 1).copy_(mask.sum(1).cumsum(0));
  return {.in_features = w.size(1),
          .starts = starts,
          .columns = columns,
          .values = w.index({rows, columns}).to(at::kBFloat16).to(at::kFloat)};
}

// Single weights that stay in 16 bit (SpQR, GWQ): those of the largest importance. What is left of a kept
// weight is what bf16 does not hold of it, nothing where the checkpoint is bf16.
class SparseBranches final : public ExtraBranch {
 public:
  struct Options {
    double share = 0.01;                                    // of each linear's weights
    double tau = std::numeric_limits<double>::quiet_NaN();  // in place of `share`: the least importance
  };
  SparseBranches(std::unique_ptr<WeightImportance> importance, Options options)
      : importance_(std::move(importance)), options_(options) {}

  TakenOut take(const GroupProblem& problem, const WeightQuantizer& quantizer) const override {
    const std::vector<Tensor> importance = importance_->of(problem, quantizer);
    TakenOut out;
    int64_t kept = 0;
    for (size_t i = 0; i < importance.size(); ++i) {
      const Tensor& w = problem.weights[i];
      const Tensor mask =
          std::isnan(options_.tau) ? keep_mask(importance[i], options_.share) : importance[i] > options_.tau;
      SparseBranch branch = sparse_of(w, mask);
      kept += branch.values.numel();
      out.rest.push_back(w - at::where(mask, w.to(at::kBFloat16).to(at::kFloat), at::zeros({}, at::kFloat)));
      out.branches.emplace_back(std::move(branch));
    }
    if (kept == 0) return {.branches = {}, .rest = problem.weights};
    return out;
  }
  bool needs_stats() const override { return importance_->needs_stats(); }
  FisherDetail needs_gradients() const override { return importance_->needs_gradients(); }

 private:
  std::unique_ptr<WeightImportance> importance_;
  Options options_;
};

}  // namespace

std::unique_ptr<ExtraBranch> make_sparse_branch(Fields& options) {
  const std::string by = options.text("by", "magnitude");
  auto importance = weight_importances().at(by)(options);
  SparseBranches::Options o;
  const bool has_tau = options.has("tau"), has_share = options.has("share");
  SVDLAB_REQUIRE(!(has_tau && has_share), Errc::kConfig, options.where(), ": `", options.path_of("tau"),
                 "` and `", options.path_of("share"), "` both say how many weights stay; give one");
  SVDLAB_REQUIRE(!has_tau || importance->is_relative(), Errc::kConfig, options.where(), ": `",
                 options.path_of("tau"), "` has no meaning by ", by, ", which has another scale in every ",
                 "layer; give `", options.path_of("share"), "`");
  o.share = options.number("share", o.share);
  if (has_tau) o.tau = options.number("tau", 0);
  SVDLAB_REQUIRE(o.share >= 0 && o.share <= 1 && !(o.tau < 0), Errc::kConfig, options.where(), ": `",
                 options.path_of("share"), "` must be 0 to 1 and `", options.path_of("tau"),
                 "` not negative, not ", o.share, " and ", o.tau);
  return std::make_unique<SparseBranches>(std::move(importance), o);
}

}  // namespace svdlab
