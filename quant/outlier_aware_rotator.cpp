#include "core/base/error.h"
#include "quant/outlier_rotation.h"
#include "quant/rotator.h"

namespace svdlab {
namespace {

// Rotation in blocks, a permutation that shares what is still large among the blocks, rotation in blocks
// again: DuQuant's R1 P R2 (arXiv 2406.01721), the rotation LRQ-DiT (arXiv 2508.03485) keeps for its most
// salient layers. Each block has its own rotation, found on calibration tokens. Costs 2 `block` multiply-adds
// a channel at run time and is stored in full.
class OutlierAwareRotator final : public Rotator {
 public:
  struct Options {
    int64_t block, rotations, tokens;
    uint64_t seed;
  };
  explicit OutlierAwareRotator(const Options& options) : options_(options) {}
  bool needs_stats() const override { return true; }

  std::vector<OnlineStep> steps(std::span<const GroupProblem> problems, const Tensor& smooth) const override {
    const GroupProblem& first = problems.front();
    const Tensor x = sample_tokens(problems, smooth, options_.tokens);
    const Rng rng(options_.seed, "outlier-aware");
    int64_t draw = 0;
    std::vector<OnlineStep> out, after;
    Tensor order = at::arange(first.channels());
    for (const Segment& s : first.segments) {
      const int64_t m = block_of(s, options_.block, first);
      const Tensor part = x.slice(1, s.begin, s.end);
      const Rotate first_turn{.begin = s.begin, .end = s.end, .blocks = rotations(part, m, rng, draw)};
      const Tensor turned = OnlineTransform({}, {first_turn}).apply_linear(x).slice(1, s.begin, s.end);
      const Tensor dealt = zigzag_order(turned.abs().amax(0), m);
      order.slice(0, s.begin, s.end) = dealt + s.begin;
      out.push_back(first_turn);
      after.push_back(Rotate{
          .begin = s.begin, .end = s.end, .blocks = rotations(turned.index_select(1, dealt), m, rng, draw)});
    }
    out.push_back(Permute{.order = order});
    out.insert(out.end(), after.begin(), after.end());
    return out;
  }

 private:
  // [K / m, m, m] fp32
  Tensor rotations(const Tensor& x, int64_t m, const Rng& rng, int64_t& draw) const {
    std::vector<Tensor> out;
    for (int64_t k = 0; k < x.size(1); k += m)
      out.push_back(greedy_rotation(x.slice(1, k, k + m), options_.rotations, rng, draw++));
    return at::stack(out).to(at::kFloat);
  }

  Options options_;
};

}  // namespace

std::unique_ptr<Rotator> make_outlier_aware(Fields& options) {
  const OutlierAwareRotator::Options o{.block = read_block(options, 64),
                                       .rotations = options.integer("rotations", 16),
                                       .tokens = options.integer("tokens", 512),
                                       .seed = read_rotation_seed(options)};
  SVDLAB_REQUIRE(o.rotations >= 1 && o.rotations <= 1024, Errc::kConfig, options.where(), ": `",
                 options.path_of("rotations"), "` must be 1 to 1024, not ", o.rotations);
  SVDLAB_REQUIRE(o.tokens >= 1, Errc::kConfig, options.where(), ": `", options.path_of("tokens"),
                 "` must be at least 1, not ", o.tokens);
  return std::make_unique<OutlierAwareRotator>(o);
}

}  // namespace svdlab
