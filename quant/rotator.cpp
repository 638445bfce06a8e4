#include "quant/rotator.h"

#include "quant/nested_stage.h"

namespace svdlab {

std::unique_ptr<Rotator> read_rotator(Fields& options) {
  return read_nested_stage(rotators(), options, "rotation", "hadamard");
}

int64_t read_block(Fields& options, int64_t fallback) {
  const int64_t block = options.integer("block", fallback);
  SVDLAB_REQUIRE(block == 0 || block >= 2, Errc::kConfig, options.where(), ": `", options.path_of("block"),
                 "` must be 0 (a whole K range) or at least 2, not ", block);
  return block;
}

uint64_t read_rotation_seed(Fields& options) {
  const int64_t seed = options.integer("seed", 0);
  SVDLAB_REQUIRE(seed >= 0, Errc::kConfig, options.where(), ": `", options.path_of("seed"),
                 "` must not be negative: ", seed);
  return static_cast<uint64_t>(seed);
}

int64_t block_of(const Segment& segment, int64_t block, const GroupProblem& problem) {
  if (block == 0) return segment.size();
  SVDLAB_REQUIRE(segment.size() % block == 0, Errc::kConfig, "rotation block ", block,
                 " does not divide K range [", segment.begin, ",", segment.end, ") of ",
                 problem.linear_names.front(), "; use 0 for the whole range or a divisor of ",
                 segment.size());
  return block;
}

Tensor sample_tokens(std::span<const GroupProblem> problems, const Tensor& smooth, int64_t count) {
  std::vector<Tensor> parts;
  for (const GroupProblem& p : problems) parts.push_back(p.stats->reservoir.slice(0, 0, count));
  const Tensor x = at::cat(parts).to(at::kDouble);
  return smooth.defined() ? x / smooth : x;
}

}  // namespace svdlab
