#include "core/base/error.h"
#include "quant/extra_branch.h"

namespace svdlab {
namespace {

// LLM.int8() (arXiv 2208.07339): input channels whose magnitude reaches a threshold are multiplied in 16 bit,
// and the low-bit branch does not see them. Chosen by what calibration saw, or at each call by its tokens, as
// in the paper; then the low-bit branch has every column and all columns are kept in 16 bit, too.
class ColumnsBranches final : public ExtraBranch {
 public:
  ColumnsBranches(double threshold, bool dynamic) : threshold_(threshold), dynamic_(dynamic) {}

  TakenOut take(const GroupProblem& problem, const WeightQuantizer&) const override {
    const Tensor columns = columns_of(problem);
    if (columns.numel() == 0) return {.branches = {}, .rest = problem.weights};
    TakenOut out;
    for (const Tensor& w : problem.weights) {
      const Tensor kept = w.index_select(1, columns).to(at::kBFloat16).to(at::kFloat);
      out.branches.emplace_back(
          ColumnsBranch{.columns = columns, .weight = kept, .threshold = is_static() ? 0 : threshold_});
      out.rest.push_back(is_static() ? w.index_fill(1, columns, 0) : w);
    }
    if (is_static()) out.columns = columns;
    return out;
  }
  bool needs_stats() const override { return !dynamic_; }

 private:
  // A threshold of 0 takes every column whatever the tokens are.
  bool is_static() const { return !dynamic_ || threshold_ == 0; }

  Tensor columns_of(const GroupProblem& problem) const {
    if (dynamic_) return at::arange(problem.channels());
    return at::nonzero(problem.stats->absmax >= threshold_).squeeze(1);
  }

  double threshold_;
  bool dynamic_;
};

}  // namespace

std::unique_ptr<ExtraBranch> make_columns_branch(Fields& options) {
  const double threshold = options.number("threshold", 6);
  SVDLAB_REQUIRE(threshold >= 0, Errc::kConfig, options.where(), ": `", options.path_of("threshold"),
                 "` must not be negative: ", threshold);
  return std::make_unique<ColumnsBranches>(threshold, options.boolean("dynamic", false));
}

}  // namespace svdlab
