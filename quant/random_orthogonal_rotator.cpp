#include "quant/random_orthogonal.h"
#include "quant/rotator.h"

namespace svdlab {
namespace {

// Blocks of channels times random orthogonal matrices, each its own: what a Hadamard matrix is a cheap
// stand-in for. Costs `block` multiply-adds a channel at run time and is stored in full.
class RandomOrthogonalRotator final : public Rotator {
 public:
  RandomOrthogonalRotator(int64_t block, uint64_t seed) : block_(block), seed_(seed) {}

  std::vector<OnlineStep> steps(std::span<const GroupProblem> problems, const Tensor&) const override {
    const GroupProblem& first = problems.front();
    const Rng rng(seed_, "random-orthogonal");
    std::vector<OnlineStep> out;
    int64_t draw = 0;
    for (const Segment& s : first.segments) {
      const int64_t size = block_of(s, block_, first);
      std::vector<Tensor> blocks;
      for (int64_t i = 0; i < s.size() / size; ++i) blocks.push_back(random_orthogonal(size, rng, draw++));
      out.push_back(Rotate{.begin = s.begin, .end = s.end, .blocks = at::stack(blocks).to(at::kFloat)});
    }
    return out;
  }

 private:
  int64_t block_;
  uint64_t seed_;
};

}  // namespace

std::unique_ptr<Rotator> make_random_orthogonal(Fields& options) {
  const int64_t block = read_block(options, 64);
  return std::make_unique<RandomOrthogonalRotator>(block, read_rotation_seed(options));
}

}  // namespace svdlab
